"""Opens a report in headless Chromium, from a file and without a network, uses it
by mouse and keys, and looks at its pixels. Run by tests/it/report/browser.rs.

What is expected of the pixels comes from the run's heatmap file and from where the
slide was painted, not from the page. The one picture that is compared,
tests/data/report/view.png, is the slide's part of the view shrunk, so that fonts
and page layout do not matter; SLIDEGRID_WRITE_SNAPSHOTS=1 writes it anew.
"""

import io
import json
import sys
import time
from pathlib import Path
from urllib.parse import quote

import h5py
import numpy as np
from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

TOLD = json.loads(sys.argv[1])
WIDTH, HEIGHT = TOLD["size"]
INDEX = "file://" + quote(TOLD["index"])
# VIRIDIS at 1.
YELLOW = np.array([253, 231, 37])
BLUE = np.array([90, 40, 250])


def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = TOLD["chromium"]
    for word in [
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--window-size=1400,1000", "--force-device-scale-factor=1",
        "--force-color-profile=srgb", "--host-resolver-rules=MAP * ~NOTFOUND",
    ]:
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service(TOLD["driver"]))


class Page:
    def __init__(self, driver):
        self.driver = driver
        self.asked = []

    def open(self, address):
        self.driver.get(address)
        self.run("""
            const style = document.createElement('style');
            style.textContent = '.zoom, .scale, #message { opacity: 0 !important }';
            document.head.append(style);""")

    def run(self, script, *words):
        return self.driver.execute_script(script, *words)

    def id(self, name):
        return self.driver.find_element(By.ID, name)

    def row(self, name):
        rows = self.driver.find_elements(By.CSS_SELECTOR, "#cohort tbody tr")
        return next(row for row in rows if row.get_attribute("data-name") == name)

    def settled(self, name):
        """Waits until the slide is shown and drawn."""
        until = time.time() + 20
        while self.id("view-title").text != name or self.id("message").text.startswith("Loading") \
                or not self.run("return document.querySelectorAll('#facts dt').length"):
            assert time.time() < until, f"{name} is not shown: {self.id('view-title').text}"
            time.sleep(0.05)
        self.drawn()

    def says(self, name, words):
        """Waits until an element holds the words: a slide's facts come after its name."""
        until = time.time() + 20
        while words not in self.id(name).text:
            assert time.time() < until, f"{name} lacks {words}: {self.id(name).text}"
            time.sleep(0.05)

    def drawn(self):
        self.driver.execute_async_script(
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()))")

    def picture(self):
        """The canvas as it is seen, [row, col, rgb]."""
        self.drawn()
        png = self.id("canvas").screenshot_as_png
        return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)

    def keys(self, *keys):
        chain = ActionChains(self.driver)
        for key in keys:
            chain.send_keys(key)
        chain.perform()
        self.drawn()

    def slider(self, name, percent):
        """By the keyboard: to the left end, then up."""
        self.id(name).send_keys(Keys.HOME + Keys.ARROW_RIGHT * percent)
        assert self.id(name).get_attribute("value") == str(percent)

    def check(self, name, wanted):
        if self.id(name).is_selected() != wanted:
            self.id(name).click()

    def complaints(self):
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self.asked.append(message["params"]["request"]["url"])
        foreign = [url for url in self.asked if not url.startswith(("file:", "data:", "blob:"))]
        assert not foreign, f"asked a network for {foreign}"
        found = self.driver.get_log("browser")
        assert not found, f"the console says {found}"


def near(picture, colour, within=40):
    return np.abs(picture - colour).max(axis=2) <= within


def same(one, other):
    """The same but for the ring of the focus."""
    return np.array_equal(one[20:-20, 20:-20], other[20:-20, 20:-20])


def box(mask):
    """Left, top, right, bottom of what is set."""
    rows, cols = np.nonzero(mask)
    assert rows.size, "nothing of this colour"
    return np.array([cols.min(), rows.min(), cols.max() + 1, rows.max() + 1])


def on_canvas(picture, corners, times=1.0):
    """Level-0 corners as canvas px, with all of the slide in view."""
    rows, cols, _ = picture.shape
    scale = min(cols / WIDTH, rows / HEIGHT) * 0.96 * times
    x, y = np.array(corners[0::2]), np.array(corners[1::2])
    place = np.empty(len(corners))
    place[0::2] = cols / 2 + (x - WIDTH / 2) * scale
    place[1::2] = rows / 2 + (y - HEIGHT / 2) * scale
    return place


def hot_cells():
    """Level-0 corners of the cells at 0.9 and above, from the heatmap's file."""
    with h5py.File(Path(TOLD["run"]) / "heatmaps/spot.h5") as file:
        pitch = file.attrs["stride"] * file.attrs["downsample"]
        rows, cols = np.nonzero(np.nan_to_num(file["score"][()]) >= 0.9)
    half = pitch / 2
    return [cols.min() * pitch - half, rows.min() * pitch - half,
            cols.max() * pitch + half, rows.max() * pitch + half]


def close(found, expected, px, what):
    assert np.abs(np.asarray(found) - expected).max() <= px, f"{what}: {found}, expected {expected}"


def places_are_right(page):
    """The heatmap's hottest place and the slide's painted spot, each where it is."""
    for mark in ["show-truth", "show-detections", "show-tissue"]:
        page.check(mark, False)
    page.slider("opacity", 100)
    page.slider("threshold", 90)
    picture = page.picture()
    hot = box(near(picture, YELLOW))
    close(hot, on_canvas(picture, hot_cells()), 1.5, "hot cells")
    page.slider("opacity", 0)
    bare = page.picture()
    spot = on_canvas(bare, TOLD["spot"])
    close(box(near(bare, BLUE)), spot, 2.5, "the slide's spot")
    # Half a pitch is 8 level-0 px.
    half = on_canvas(bare, [8, 0])[0] - on_canvas(bare, [0, 0])[0]
    close(hot, spot, half + 2, "heatmap over slide")


def sliders_do_what_they_say(page):
    def at(picture, x, y):
        col, row = on_canvas(picture, [x, y]).round().astype(int)
        return picture[row, col]

    tissue, spot = (168, 216), (400, 160)
    page.slider("opacity", 0)
    bare = page.picture()
    page.slider("threshold", 0)
    assert np.array_equal(bare, page.picture()), "an invisible map has no threshold"
    page.slider("opacity", 100)
    full = page.picture()
    page.slider("opacity", 65)
    mixed = page.picture()
    for place in (tissue, spot):
        grey = at(bare, *place) @ [0.3, 0.59, 0.11]
        expected = 0.35 * grey + 0.65 * at(full, *place)
        close(at(mixed, *place), expected, 8, "65 % over grey")
    close(at(full, *spot), YELLOW, 16, "a score of nearly 1")
    # 0.24 is blue-violet, far from the slide's brown.
    assert np.abs(at(full, *tissue) - at(bare, *tissue)).max() > 60
    page.slider("threshold", 50)
    above = page.picture()
    close(at(above, *tissue), at(bare, *tissue), 2, "below the threshold the slide shows")
    close(at(above, *spot), at(mixed, *spot), 2, "above it nothing changes")


def marks_come_and_go(page):
    page.slider("opacity", 0)
    plain = page.picture()
    left, top, right, bottom = on_canvas(plain, TOLD["spot"])
    seen = {}
    for mark in ["show-truth", "show-detections", "show-tissue"]:
        page.check(mark, True)
        changed = np.abs(page.picture() - plain).max(axis=2) > 40
        assert changed.any(), f"{mark} shows nothing"
        seen[mark] = box(changed)
        page.check(mark, False)
    casing = 3.5
    close(seen["show-truth"], [left - casing, top - casing, right + casing, bottom + casing], 2, "truth")
    middle = (seen["show-detections"][:2] + seen["show-detections"][2:]) / 2
    half = on_canvas(plain, [8, 0])[0] - on_canvas(plain, [0, 0])[0]
    close(middle, [(left + right) / 2, (top + bottom) / 2], half, "detection")
    close(seen["show-tissue"], on_canvas(plain, [96, 64, 544, 416]), 4, "tissue")


def the_view_zooms_and_moves(page):
    for mark in ["show-truth", "show-detections", "show-tissue"]:
        page.check(mark, False)
    page.slider("opacity", 100)
    page.slider("threshold", 90)
    whole = page.picture()
    page.run("document.getElementById('canvas').focus()")
    page.keys("+")
    picture = page.picture()
    close(box(near(picture, YELLOW)), on_canvas(picture, hot_cells(), 1.25), 2, "zoomed in")
    page.keys(Keys.ARROW_RIGHT)
    moved = box(near(page.picture(), YELLOW)) - box(near(picture, YELLOW))
    close(moved, np.array([-1, 0, -1, 0]) * picture.shape[1] / 10, 2, "moved to the right")
    page.keys("0")
    assert same(page.picture(), whole), "0 shows all again"
    # The wheel keeps the place under it: here the hot cells' top left corner.
    canvas = page.id("canvas")
    left, top = (on_canvas(whole, hot_cells())[:2] - np.array(whole.shape[1::-1]) / 2).round().astype(int)
    ActionChains(page.driver).scroll_from_origin(
        webdriver.common.actions.wheel_input.ScrollOrigin.from_element(canvas, int(left), int(top)), 0, -240).perform()
    wheeled = box(near(page.picture(), YELLOW))
    close(wheeled[:2], on_canvas(whole, hot_cells())[:2], 3, "the place under the wheel")
    assert wheeled[2] - wheeled[0] > 1.5 * (box(near(whole, YELLOW)) @ [-1, 0, 1, 0])
    page.id("zoom-reset").send_keys(Keys.ENTER)
    assert same(page.picture(), whole), "the button shows all again"
    ActionChains(page.driver).move_to_element(canvas).click_and_hold().move_by_offset(40, 25).release().perform()
    moved = box(near(page.picture(), YELLOW)) - box(near(whole, YELLOW))
    close(moved, [40, 25, 40, 25], 2, "dragged")
    readout = page.id("readout").text
    assert "score" in readout and "px" in readout, readout


def keys_reach_everything(page):
    page.run("document.activeElement.blur(); window.scrollTo(0, 0)")
    reached, seen_focus = [], 0
    for _ in range(60):
        page.keys(Keys.TAB)
        reached.append(page.run("""
            const on = document.activeElement;
            return on.id || on.closest('tbody')?.parentElement.id || on.tagName"""))
        seen_focus += page.run("""
            const style = getComputedStyle(document.activeElement);
            return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2""")
    wanted = {"find", "only", "cohort", "canvas", "zoom-in", "zoom-out", "zoom-reset", "opacity",
              "threshold", "show-truth", "show-detections", "show-tissue"}
    assert wanted <= set(reached), f"Tab does not reach {wanted - set(reached)}"
    start = reached.index("find")
    assert reached[start:reached.index("opacity", start)].count("cohort") == 1, "the list of slides is one stop"
    assert seen_focus > len(reached) - 5, "focus is seen"


def slides_are_chosen_by_keys(page):
    link = page.row("spot").find_element(By.CSS_SELECTOR, "a")
    link.send_keys(Keys.ARROW_UP)
    page.settled("glass")
    assert page.run("return document.activeElement.textContent") == "glass"
    assert page.row("glass").find_element(By.CSS_SELECTOR, "a").get_attribute("aria-current") == "true"
    page.keys(Keys.HOME)
    page.settled("broken")
    page.says("facts", "truncated")
    page.run("document.activeElement.blur()")
    page.keys("j")
    page.settled(TOLD["odd"])
    page.says("facts", "alert(1)")
    page.keys("k")
    page.settled("broken")


def the_table_finds_and_sorts(page):
    page.id("find").send_keys("no tissue")
    assert page.id("shown").text == "1 of 4", page.id("shown").text
    page.id("find").clear()
    page.id("find").send_keys(Keys.SPACE, Keys.BACKSPACE)
    heading = next(button for button in page.driver.find_elements(By.CSS_SELECTOR, "#cohort thead button")
                   if button.text == "Max")
    heading.click()
    heading.click()
    first = page.driver.find_element(By.CSS_SELECTOR, "#cohort tbody tr")
    assert first.get_attribute("data-name") == "spot"
    assert heading.find_element(By.XPATH, "..").get_attribute("aria-sort") == "descending"


def as_stored(page):
    """The slide's part of the view, as it opens, against the stored picture."""
    picture = page.picture()
    left, top, right, bottom = on_canvas(picture, [0, 0, WIDTH, HEIGHT]).round().astype(int)
    part = Image.fromarray(picture[top:bottom, left:right].astype(np.uint8)).resize((160, 120), Image.Resampling.BOX)
    if TOLD["write"]:
        part.save(TOLD["reference"], optimize=True)
    apart = np.abs(np.asarray(part).astype(int) - np.asarray(Image.open(TOLD["reference"]).convert("RGB")).astype(int))
    print(f"view: {apart.mean():.2f} grey values from the stored one")
    assert apart.mean() < 4 and np.quantile(apart, 0.99) < 48, f"{apart.mean()} {np.quantile(apart, 0.99)}"


def many_slides_stay_light(page):
    """400 rows: pictures are loaded when seen, maps when a slide is chosen."""
    index = Path(TOLD["index"])
    head, row, tail = index.read_text().partition('<tr data-folder="spot"')
    row += tail[:tail.index("</tr>") + 5]
    tail = tail[tail.index("</tr>") + 5:]
    rows = [row.replace('data-name="spot"', f'data-name="spot{at}"').replace("thumb.jpg", f"thumb.jpg?{at}")
            for at in range(400)]
    many = index.with_name("many.html")
    many.write_text(head + "".join(rows) + tail)
    page.complaints()
    page.asked.clear()
    page.open("file://" + quote(str(many)) + "#slide=spot7")
    page.settled("spot7")
    page.complaints()
    assert page.run("return window.scrollY") == 0
    thumbs = sum("thumb.jpg?" in url for url in page.asked)
    maps = sum(url.endswith("layers.js") for url in page.asked)
    print(f"400 slides: {thumbs} small pictures and {maps} map loaded")
    assert 1 <= thumbs < 200 and maps == 1, f"{thumbs} {maps}"
    page.row("spot7").find_element(By.CSS_SELECTOR, "a").send_keys(Keys.END)
    page.settled("spot399")
    seen = page.run("""
        const list = document.querySelector('.scroll').getBoundingClientRect();
        const row = document.querySelector('tr.selected').getBoundingClientRect();
        return row.top >= list.top && row.bottom <= list.bottom + 1""")
    assert seen, "the chosen row is in sight"


def main():
    driver = browser()
    try:
        page = Page(driver)
        page.open(INDEX)
        # A slide with a heatmap is there at once; the worst are first in the table.
        page.settled("spot")
        assert page.run("return window.scrollY") == 0
        as_stored(page)
        page.row("glass").find_element(By.CSS_SELECTOR, ".pic").click()
        page.settled("glass")
        page.row("spot").find_element(By.CSS_SELECTOR, "a").click()
        page.settled("spot")
        for part in [places_are_right, sliders_do_what_they_say, marks_come_and_go,
                     the_view_zooms_and_moves, keys_reach_everything, slides_are_chosen_by_keys,
                     the_table_finds_and_sorts]:
            part(page)
            page.complaints()
            print(f"{part.__name__}: as expected")
        page.open("about:blank")
        page.open(INDEX + "#slide=" + quote(TOLD["odd"]))
        page.settled(TOLD["odd"])
        page.slider("opacity", 0)
        assert near(page.picture(), [68, 68, 68], 24).sum() > 200, "tissue without scores is hatched"
        assert page.id("legend-missing").is_displayed()
        page.complaints()
        many_slides_stay_light(page)
    finally:
        driver.quit()


main()
