// The texts of the page, from texts.tsv: a row a text, a column a language.

import table from "./texts.tsv";

const LANGUAGES = { en: "English", de: "Deutsch", ar: "العربية" };
const RIGHT_TO_LEFT = ["ar"];

const rows = table.trim().split("\n").map((row) => row.split("\t"));
const TEXTS = new Map(rows.map(([name, ...texts]) => [name, texts]));
const names = TEXTS.get("name");
let column = 0;

/** Return a text in the language that was chosen, with values in place of {0}, {1} ... */
export const text = (name, ...values) =>
  TEXTS.get(name)[column].replace(/\{(\d)\}/g, (_, place) => values[place]);

export const isText = (name) => TEXTS.has(name);

/** Fill in the texts: `data-text` names what is read, `data-label` what a screen reader says. */
function fillIn() {
  for (const each of document.querySelectorAll("[data-text]")) {
    each.textContent = text(each.dataset.text);
  }
  for (const each of document.querySelectorAll("[data-label]")) {
    each.setAttribute("aria-label", text(each.dataset.label));
  }
  for (const each of document.querySelectorAll("[data-title]")) {
    each.title = text(each.dataset.title);
  }
  document.title = text("title");
}

/** Offer the languages in a select; begin with the one that was chosen last, or the browser's. */
export function offerLanguages(select, changed) {
  select.append(...names.map((name) => new Option(LANGUAGES[name], name)));
  const wanted = [localStorage.getItem("language"), ...navigator.languages];
  const codes = wanted.map((each) => each?.slice(0, 2));
  select.value = codes.find((each) => names.includes(each)) ?? names[0];
  const choose = () => {
    column = names.indexOf(select.value);
    document.documentElement.lang = select.value;
    document.documentElement.dir = RIGHT_TO_LEFT.includes(select.value) ? "rtl" : "ltr";
    fillIn();
  };
  choose();
  select.onchange = () => {
    localStorage.setItem("language", select.value);
    choose();
    changed();
  };
}
