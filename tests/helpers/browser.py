"""Pages in a headless Chromium, what they ask for and complain about, and an audit of their size and their colours."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Checks the page as it is: the width that it takes, the size of every text, and its contrast with what is behind it.
AUDIT = """
() => {
  const wider = Math.max(0, document.documentElement.scrollWidth - innerWidth);
  const found = { wider, small: [], faint: [], texts: 0 };
  const rgba = (text) => {
    const parts = text.match(/[\\d.]+/g).map(Number);
    return parts.length > 3 ? parts : [...parts, 1];
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const behind = (element) => {
    if (!element) return [255, 255, 255, 1];
    const own = rgba(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own : over(own, behind(element.parentElement));
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    const element = node.parentElement, words = node.data.trim();
    if (!words || ["SCRIPT", "STYLE", "NOSCRIPT", "OPTION", "TITLE"].includes(element.tagName.toUpperCase())) continue;
    if (!element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const ground = behind(element);
    const colour = over(rgba(element.closest("svg") ? style.fill : style.color), ground);
    const [dark, bright] = [light(colour), light(ground)].sort((a, b) => a - b);
    const contrast = (bright + 0.05) / (dark + 0.05);
    found.texts += 1;
    if (parseFloat(style.fontSize) < 12) found.small.push(words);
    if (contrast < 4.5) found.faint.push(`${words}: ${contrast.toFixed(1)}`);
  }
  return found;
}
"""


@dataclass
class Opened:
    """A page that was opened."""

    #: Playwright's page.
    page: Any
    #: The messages of its console that are errors or warnings, and its uncaught errors.
    complaints: list[str] = field(default_factory=list)
    #: The addresses of everything that it asked for, its own file first.
    requests: list[str] = field(default_factory=list)

    def audit(self) -> dict[str, Any]:
        """Return what `AUDIT` finds, with every part of the page unfolded."""
        self.page.evaluate("() => document.querySelectorAll('details').forEach((details) => { details.open = true; })")
        found: dict[str, Any] = self.page.evaluate(AUDIT)
        return found


@contextmanager
def opened(
    browser: Any, path: Path, *, width: int = 1280, scheme: str = "light", scripts: bool = True
) -> Iterator[Opened]:
    """Open a file in a new context of a browser. scheme: "light" or "dark". scripts: whether scripts run."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripts
    )
    try:
        found = Opened(context.new_page())
        found.page.on("console", lambda said: said.type in ("error", "warning") and found.complaints.append(said.text))
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.page.on("request", lambda request: found.requests.append(request.url))
        found.page.goto(path.as_uri(), wait_until="load")
        if scripts:
            found.page.wait_for_function("() => [...document.querySelectorAll('.drawing')].every((d) => d.firstChild)")
        yield found
    finally:
        context.close()
