// Fills in forms in Chromium as a person would, and prints what it saw as JSON.
// Usage: node forms.mjs URL [FOLDER]; with FOLDER, pictures of the pages are kept there.
import { launch, look } from "./pages.mjs";

const [url, folder] = process.argv.slice(2);
if (!url) {
  console.error("usage: node forms.mjs URL [FOLDER]");
  process.exit(2);
}

// Every field a person can reach has a name that is read out, and what describes it is there.
function unnamed() {
  const fields = [...document.querySelectorAll("input:not([type=hidden]), textarea, select")].filter((field) => !field.closest(".aside"));
  const described = (field) => (field.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id && !document.getElementById(id));
  return fields.filter((field) => !field.labels.length || described(field).length).map((field) => field.id);
}

const photo = { name: "parcel ä.png", mimeType: "image/png", buffer: Buffer.alloc(300000, 7) };
const browser = await launch();
const seen = { complaints: [], elsewhere: [], lowest_contrast: {}, widths: {}, unnamed: {} };
try {
  // Without scripts: nothing on the pages needs them. (What this file evaluates runs all the same.)
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  // Of our pages alone: where a form leads to is another matter.
  page.on("console", (message) => { if (message.location().url.startsWith(`${url}/forms/`)) seen.complaints.push(message.text()); });
  page.on("request", (request) => { if (!request.url().startsWith(url)) seen.elsewhere.push(request.url()); });
  const see = async (what) => {
    await look(page, what, seen, folder);
    seen.unnamed[what] = await page.evaluate(unnamed);
  };
  const send = (name) => Promise.all([page.waitForEvent("load"), page.getByRole("button", { name }).click()]);

  await page.goto(`${url}/forms/contact`);
  seen.title = await page.title();
  await see("empty");
  // The keyboard gets to every field and to the button, and not to the honeypot.
  seen.tabs = [];
  for (let i = 0; i < 8; i++) {
    await page.keyboard.press("Tab");
    seen.tabs.push(await page.evaluate(() => document.activeElement.id || document.activeElement.tagName));
  }
  // The browser itself holds back what is not complete.
  await page.getByRole("button", { name: "Send" }).click();
  seen.held_back = await page.evaluate(() => [location.search, document.activeElement.id]);
  await page.evaluate(() => { document.querySelector("form").noValidate = true; document.querySelector("[name=_form]").remove(); });
  await page.getByLabel("E-mail").fill("nowhere");
  await page.getByLabel("Message").fill("First\n\nlast & <b>");
  await page.getByLabel("Photo").setInputFiles(photo);
  await send("Send");
  seen.mistakes = await page.getByRole("alert").innerText();
  await see("mistakes");
  await page.getByRole("link", { name: "E-mail" }).click();
  seen.led_to = await page.evaluate(() => document.querySelector(":target").id);
  seen.kept = [await page.getByLabel("E-mail").inputValue(), await page.getByLabel("Message").inputValue()];

  await page.getByLabel("Name").fill("Ada");
  await page.getByLabel("E-mail").fill("ada@example.com");
  await page.getByLabel("Topic").selectOption({ label: "A bill" });
  await page.getByLabel("Photo").setInputFiles(photo);
  await page.getByLabel("Send me your newsletter").check();
  await send("Send");
  seen.thanks = [new URL(page.url()).search, await page.getByRole("status").innerText()];
  await see("thanks");

  // One whose page sends the browser to another server afterwards: its policy has to allow that.
  await page.goto(`${url}/forms/away`);
  await page.evaluate(() => document.querySelector("[name=_form]").remove());
  await send("Go");
  await page.emulateMedia({ colorScheme: "light" });
  await page.getByLabel("Wish").fill("far");
  await send("Go");
  seen.away = page.url();

  // A form on a page of somebody else, with a file.
  const theirs = await context.newPage();
  await theirs.setContent(`<form method="post" enctype="multipart/form-data" action="${url}/forms/join/news">
    <label>E-mail <input name="email"></label><label>CV <input type="file" name="cv" multiple></label>
    <input name="website" hidden><button>Join</button></form>`);
  await theirs.getByLabel("E-mail").fill("bob@example.com");
  await theirs.getByLabel("CV").setInputFiles([{ name: "a.pdf", mimeType: "application/pdf", buffer: Buffer.from("%PDF-1.7") }, photo]);
  await Promise.all([theirs.waitForURL("**/healthz"), theirs.getByRole("button", { name: "Join" }).click()]);
  seen.joined = new URL(theirs.url()).pathname;

  // A script of another site: the same server under another name is one.
  const script = await (await browser.newContext()).newPage();
  await script.goto(`${url.replace("127.0.0.1", "localhost")}/healthz`);
  seen.fetched = await script.evaluate(async (url) => {
    const form = new FormData();
    form.set("question", "why?");
    const accept = { accept: "application/json" };
    const taken = await fetch(`${url}/forms/ask`, { method: "POST", headers: accept, body: form });
    const json = { ...accept, "content-type": "application/json" };
    const asked_first = await fetch(`${url}/forms/ask`, { method: "POST", headers: json, body: "{}" });
    const closed = await fetch(`${url}/forms/join/news`, { method: "POST", headers: accept, body: form }).then((answer) => answer.status, () => "not to be read");
    return [taken.status, Object.keys(await taken.json()), asked_first.status, (await asked_first.json()).code, closed];
  }, url);
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
