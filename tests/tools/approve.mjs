// Opens the page of an `approve` in Chromium, looks at it as a person would, answers, and prints what it saw as JSON.
// Usage: node approve.mjs LINK approve|deny COMMENT NAME [FOLDER]; with FOLDER, pictures of the page are kept there.
import { launch, look } from "./pages.mjs";

const [link, decision, comment, name, folder] = process.argv.slice(2);
if (!link || !["approve", "deny"].includes(decision)) {
  console.error("usage: node approve.mjs LINK approve|deny COMMENT NAME [FOLDER]");
  process.exit(2);
}

const browser = await launch();
const seen = { complaints: [], loaded: [], lowest_contrast: {}, widths: {} };
try {
  const page = await browser.newPage();
  page.on("console", (message) => seen.complaints.push(message.text()));
  page.on("pageerror", (error) => seen.complaints.push(String(error)));
  page.on("request", (request) => seen.loaded.push(`${request.method()} ${new URL(request.url()).pathname === new URL(link).pathname ? "page" : request.url()}`));
  const answer = await page.goto(link);
  seen.status = answer.status();
  seen.heading = await page.getByRole("heading").innerText();
  seen.message = await page.locator(".message").innerText();
  await look(page, "question", seen, folder);
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
  await look(page, "decided", seen, folder);
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
