"""Debian's Chromium without a screen, whose microphone plays a wav file."""

import shutil
from contextlib import contextmanager

import pytest
from selenium import webdriver

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

needs_chromium = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs apt-get install chromium chromium-driver"
)


@contextmanager
def chromium(profile, microphone=None, allow=True, size=(1200, 900), dark=False):
    """A driver; `profile` is an empty folder, `microphone` a wav file that is played once."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    arguments = [
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required"),
        *(f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}"),
    ]
    if microphone:
        arguments += ["--use-fake-device-for-media-stream"]
        arguments += [f"--use-file-for-fake-audio-capture={microphone}%noloop"]
    arguments += ["--use-fake-ui-for-media-stream"] if allow else ["--deny-permission-prompts"]
    if dark:
        arguments += ["--blink-settings=preferredColorScheme=0"]
    for argument in arguments:
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()
