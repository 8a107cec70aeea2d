"""A stand-in for the speech synthesis Kokoro: an ONNX file with its inputs."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper


def write_kokoro(path: Path, tempo: str = "speed") -> Path:
    """Its samples are (token + first number of the style) / tempo, one for every token."""
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["tokens"], ["numbers"], to=TensorProto.FLOAT),
            helper.make_node("Slice", ["style", "first", "second", "columns"], ["start"]),
            helper.make_node("Add", ["numbers", "start"], ["sum"]),
            helper.make_node("Div", ["sum", tempo], ["audio"]),
        ],
        "kokoro",
        [
            helper.make_tensor_value_info("tokens", TensorProto.INT64, [1, None]),
            helper.make_tensor_value_info("style", TensorProto.FLOAT, [1, 256]),
            helper.make_tensor_value_info(tempo, TensorProto.FLOAT, [1]),
        ],
        [helper.make_tensor_value_info("audio", TensorProto.FLOAT, [1, None])],
        [
            helper.make_tensor(name, TensorProto.INT64, [1], [value])
            for name, value in (("first", 0), ("second", 1), ("columns", 1))
        ],
    )
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path
