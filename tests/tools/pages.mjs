// What the browser tests of pages share: the browser, and looking at a page in both color schemes and at two widths.
import { join } from "node:path";
import { chromium } from "playwright-core";

export const launch = () =>
  chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });

// WCAG 2.2, "contrast ratio", of the text of each element on what is behind it. Runs in the page.
function contrasts() {
  const parse = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = (color) => {
    const [r, g, b] = color.slice(0, 3).map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll("p, h1, li, a, dt, dd, label, legend, .must, .message, .hint, input, textarea, select, button")];
  return texts.filter((element) => !element.hidden && !element.closest(".aside")).map((element) => {
    const [a, b] = [luminance(parse(getComputedStyle(element).color)), luminance(behind(element))];
    return [element.className || element.tagName, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
  });
}

// Notes in `seen` how wide a page is beyond its window and where its text is hardest to read. With `folder`, pictures are kept there.
export async function look(page, what, seen, folder) {
  for (const scheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: scheme });
    for (const [size, width] of [["wide", 1100], ["phone", 360]]) {
      await page.setViewportSize({ width, height: 800 });
      seen.widths[`${what} ${size}`] = await page.evaluate(() => document.scrollingElement.scrollWidth - window.innerWidth);
      if (folder) await page.screenshot({ path: join(folder, `${what}-${scheme}-${size}.png`), fullPage: true });
    }
    seen.lowest_contrast[`${what} ${scheme}`] = (await page.evaluate(contrasts)).sort((a, b) => a[1] - b[1])[0];
  }
}
