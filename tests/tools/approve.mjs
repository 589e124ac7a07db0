// Opens the page of an `approve` in Chromium, looks at it as a person would, answers, and prints what it saw as JSON.
// Usage: node approve.mjs LINK approve|deny COMMENT NAME [FOLDER]; with FOLDER, pictures of the page are kept there.
import { join } from "node:path";
import { chromium } from "playwright-core";

const [link, decision, comment, name, folder] = process.argv.slice(2);
if (!link || !["approve", "deny"].includes(decision)) {
  console.error("usage: node approve.mjs LINK approve|deny COMMENT NAME [FOLDER]");
  process.exit(2);
}

// WCAG 2.2, "contrast ratio", of the text of each element on what is behind it.
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
  const texts = [...document.querySelectorAll("p, h1, .message, dt, dd, label, .hint, input, textarea, button")];
  return texts.filter((element) => !element.hidden).map((element) => {
    const [a, b] = [luminance(parse(getComputedStyle(element).color)), luminance(behind(element))];
    return [element.className || element.tagName, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
  });
}

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const seen = { complaints: [], loaded: [], lowest_contrast: {}, widths: {} };
try {
  const page = await browser.newPage();
  page.on("console", (message) => seen.complaints.push(message.text()));
  page.on("pageerror", (error) => seen.complaints.push(String(error)));
  page.on("request", (request) => seen.loaded.push(`${request.method()} ${new URL(request.url()).pathname === new URL(link).pathname ? "page" : request.url()}`));
  const look = async (what) => {
    for (const scheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme: scheme });
      for (const [size, width] of [["wide", 1100], ["phone", 360]]) {
        await page.setViewportSize({ width, height: 800 });
        seen.widths[`${what} ${size}`] = await page.evaluate(() => document.scrollingElement.scrollWidth - window.innerWidth);
        if (folder) await page.screenshot({ path: join(folder, `${what}-${scheme}-${size}.png`), fullPage: true });
      }
      const sorted = (await page.evaluate(contrasts)).sort((a, b) => a[1] - b[1]);
      seen.lowest_contrast[`${what} ${scheme}`] = sorted[0];
    }
  };
  const answer = await page.goto(link);
  seen.status = answer.status();
  seen.heading = await page.getByRole("heading").innerText();
  seen.message = await page.locator(".message").innerText();
  await look("question");
  // Enter in the name decides nothing.
  await page.getByLabel("Your name").fill(name);
  await page.getByLabel("Your name").press("Enter");
  seen.after_enter = await page.getByRole("heading").innerText();
  await page.getByLabel("Comment").fill(comment);
  // The keyboard gets everywhere, in the order of reading.
  await page.getByLabel("Comment").focus();
  seen.tabs = [];
  for (let i = 0; i < 4; i++) {
    seen.tabs.push(await page.evaluate(() => document.activeElement.id || document.activeElement.value));
    await page.keyboard.press("Tab");
  }
  await Promise.all([
    page.waitForEvent("load"),
    page.getByRole("button", { name: decision === "approve" ? "Approve" : "Deny" }).click(),
  ]);
  seen.result = await page.getByRole("heading").innerText();
  seen.facts = Object.fromEntries(
    await page.locator("dt").evaluateAll((names) => names.map((name) => [name.innerText, name.nextElementSibling.innerText])),
  );
  await look("decided");
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
