"""Record the README's moving picture: ``python -m tests.tools.picture`` (after ``make site``).

A figure of the site is moved by the keyboard; the frames become an animated WebP, and the first one a still picture for
readers who prefer no motion.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from helpers.site.__main__ import NOTEBOOKS, OUTPUT
from tests.browser import lab

PAGE, FIGURE = "06_positional_embeddings.html", "06-3"
ANIMATED, STILL = NOTEBOOKS / "images" / "live_figure.webp", NOTEBOOKS / "images" / "live_figure.png"
CONTROL, STEPS, KEYS_PER_STEP = "position", 24, 2
FRAME_MS, LAST_MS = 120, 1_500
MAX_BYTES = 600_000


def frames(site: Path) -> list[Image.Image]:
    """One picture of the figure for each step of its slider, from the left end."""
    with sync_playwright() as playwright:
        browser = lab.launch(playwright)
        page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")
        page.goto((site / PAGE).as_uri())
        box = page.locator(f"[data-figure='{FIGURE}']")
        box.scroll_into_view_if_needed()
        page.wait_for_function("box => box.dataset.ready", arg=box.element_handle())
        slider = box.get_by_role("slider", name=CONTROL)
        slider.press("Home")
        taken = []
        for _ in range(STEPS):
            before = box.locator(".live-sentence").inner_text()
            for _ in range(KEYS_PER_STEP):
                slider.press("ArrowRight")
            page.wait_for_function(
                "([box, before]) => box.querySelector('.live-sentence').innerText !== before",
                arg=[box.element_handle(), before],
            )
            taken.append(Image.open(io.BytesIO(box.screenshot())).convert("RGB"))
        browser.close()
    return taken


def main() -> None:
    if not (OUTPUT / PAGE).exists():
        sys.exit(f"{OUTPUT / PAGE} is missing: run make site first")
    first, *others = frames(OUTPUT)
    first.save(STILL, optimize=True)
    durations = [FRAME_MS] * len(others) + [LAST_MS]
    first.save(ANIMATED, save_all=True, append_images=others, duration=durations, loop=0, quality=70, method=6)
    size = ANIMATED.stat().st_size
    if size > MAX_BYTES:
        sys.exit(f"{ANIMATED.name} has {size:,} bytes, {MAX_BYTES:,} at most: take fewer steps")
    print(f"{len(others) + 1} frames, {size:,} bytes: {ANIMATED.name}, {STILL.name}")


if __name__ == "__main__":
    main()
