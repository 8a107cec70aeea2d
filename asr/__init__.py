"""Speech recognition with bidirectional LSTMs and CTC."""
