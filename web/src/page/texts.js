// Every text of the page: English, German, Arabic. To add a language, add its column everywhere.

const LANGUAGES = { en: "English", de: "Deutsch", ar: "العربية" };
const RIGHT_TO_LEFT = ["ar"];

const TEXTS = {
  title: ["Colorize photographs", "Fotos einfärben", "تلوين الصور"],
  open: ["Open photographs", "Fotos öffnen", "افتح صورًا"],
  camera: ["Take a photograph", "Foto aufnehmen", "التقط صورة"],
  saveAll: ["Save all as ZIP", "Alle als ZIP sichern", "احفظ الكل في ملف ZIP"],
  language: ["Language", "Sprache", "اللغة"],
  about: ["Help", "Hilfe", "مساعدة"],
  welcome: [
    "Give your old photographs colour",
    "Geben Sie Ihren alten Fotos Farbe",
    "أعد الألوان إلى صورك القديمة",
  ],
  welcomeHow: [
    "Drop photographs here, paste one, or open them. In a few seconds they are in colour.",
    "Ziehen Sie Fotos hierher, fügen Sie eines ein oder öffnen Sie sie. Nach wenigen Sekunden sind sie farbig.",
    "أفلت الصور هنا أو ألصق صورة أو افتحها، وبعد ثوانٍ قليلة تصبح ملونة.",
  ],
  example: ["Try an example", "Beispiel ansehen", "جرّب مثالًا"],
  factPrivate: [
    "No photograph leaves this device.",
    "Kein Foto verlässt dieses Gerät.",
    "لا تغادر أي صورة هذا الجهاز.",
  ],
  factOffline: [
    "It works without the internet.",
    "Es geht ohne Internet.",
    "تعمل الصفحة دون إنترنت.",
  ],
  factOriginal: [
    "Your files stay as they are.",
    "Ihre Dateien bleiben, wie sie sind.",
    "تبقى ملفاتك كما هي.",
  ],
  picture: ["Photograph", "Foto", "الصورة"],
  stage: [
    "The photograph. Arrow keys move a cursor, Enter sets a point there.",
    "Das Foto. Pfeiltasten bewegen eine Marke, die Eingabetaste setzt dort einen Punkt.",
    "الصورة. مفاتيح الأسهم تحرك المؤشر، وEnter يضع نقطة هناك.",
  ],
  divide: ["Before and after", "Vorher und nachher", "قبل وبعد"],
  tools: ["Tools", "Werkzeuge", "الأدوات"],
  undo: ["Undo", "Rückgängig", "تراجع"],
  redo: ["Redo", "Wiederholen", "إعادة"],
  remove: ["Remove point", "Punkt entfernen", "احذف النقطة"],
  peek: ["Hold: original", "Halten: Original", "الأصل (اضغط مطولًا)"],
  compare: ["Compare", "Vergleichen", "قارن"],
  fit: ["Fit", "Einpassen", "ملاءمة"],
  zoomIn: ["Zoom in", "Vergrößern", "تكبير"],
  zoomOut: ["Zoom out", "Verkleinern", "تصغير"],
  panel: ["Settings", "Einstellungen", "الإعدادات"],
  colours: ["Colours", "Farben", "الألوان"],
  look: ["Look", "Stimmung", "المظهر"],
  improve: ["Clean", "Säubern", "تنظيف"],
  save: ["Save", "Sichern", "حفظ"],
  adviceFirst: [
    "Is a colour wrong? Click a spot and pick its colour.",
    "Stimmt eine Farbe nicht? Klicken Sie die Stelle an und wählen Sie ihre Farbe.",
    "هل هناك لون خاطئ؟ انقر الموضع ثم اختر لونه.",
  ],
  advicePick: [
    "Now pick the colour of this spot. Drag the point to move it; double-click takes it away.",
    "Wählen Sie nun die Farbe dieser Stelle. Ziehen verschiebt den Punkt, Doppelklick entfernt ihn.",
    "اختر الآن لون هذا الموضع. اسحب النقطة لتحريكها، وانقر مرتين لحذفها.",
  ],
  mode: ["A click on the photograph", "Ein Klick auf das Foto", "النقر على الصورة"],
  modePaint: ["sets this colour", "setzt diese Farbe", "يضع هذا اللون"],
  modeKeep: ["keeps the colour there", "hält die Farbe dort fest", "يثبّت اللون الموجود"],
  modePick: ["picks up the colour there", "nimmt die Farbe dort auf", "يلتقط اللون من هناك"],
  palette: ["Possible here", "Hier möglich", "الألوان الممكنة هنا"],
  likely: ["Likely here", "Hier wahrscheinlich", "الألوان المرجحة هنا"],
  recent: ["Used last", "Zuletzt benutzt", "المستخدمة أخيرًا"],
  colour: ["Colour {0}", "Farbe {0}", "اللون {0}"],
  radius: ["Size of the point", "Größe des Punktes", "حجم النقطة"],
  clear: ["Remove all points", "Alle Punkte entfernen", "احذف كل النقاط"],
  saveHints: ["Save the points", "Punkte sichern", "احفظ النقاط"],
  lookHow: [
    "No program can know the light of that day. Choose what looks right.",
    "Kein Programm kennt das Licht jenes Tages. Wählen Sie, was richtig aussieht.",
    "لا يعرف أي برنامج ضوء ذلك اليوم. اختر ما يبدو صحيحًا.",
  ],
  lookPlain: ["As painted", "Wie gemalt", "كما لُوّنت"],
  lookWarm: ["Warmer", "Wärmer", "أدفأ"],
  lookCool: ["Cooler", "Kühler", "أبرد"],
  lookSoft: ["Softer", "Zarter", "أهدأ"],
  strength: ["Strength of the colours", "Stärke der Farben", "قوة الألوان"],
  warmth: ["Cooler or warmer", "Kühler oder wärmer", "أبرد أو أدفأ"],
  tint: ["Greener or pinker", "Grüner oder rosiger", "أخضر أو وردي"],
  improveHow: [
    "Takes grain, scratches and dust away, and makes small photographs larger. It invents nothing.",
    "Nimmt Korn, Kratzer und Staub weg und vergrößert kleine Fotos. Erfunden wird nichts.",
    "يزيل الحبيبات والخدوش والغبار ويكبّر الصور الصغيرة، ولا يخترع شيئًا.",
  ],
  scale0: ["Leave as it is", "So lassen", "اتركها كما هي"],
  scale1: ["Clean", "Säubern", "تنظيف"],
  scale2: [
    "Clean, twice as wide and high",
    "Säubern, doppelt so breit und hoch",
    "تنظيف مع مضاعفة العرض والارتفاع",
  ],
  scale4: [
    "Clean, four times as wide and high",
    "Säubern, viermal so breit und hoch",
    "تنظيف مع تكبير أربع مرات",
  ],
  format: ["File format", "Dateiformat", "صيغة الملف"],
  formatOwn: ["As the original", "Wie das Original", "مثل الأصل"],
  saveOne: ["Save the photograph", "Foto sichern", "احفظ الصورة"],
  saveHow: [
    "The file says inside that it was colorized; camera and date of a JPEG are kept.",
    "In der Datei steht, dass sie eingefärbt wurde; Kamera und Datum eines JPEG bleiben.",
    "يُذكر داخل الملف أنه ملوّن، وتبقى بيانات الكاميرا والتاريخ في JPEG.",
  ],
  close: ["Close this photograph", "Dieses Foto schließen", "أغلق هذه الصورة"],
  closeAll: ["Close all", "Alle schließen", "أغلق الكل"],
  closeSure: [
    "Close all photographs and forget their points?",
    "Alle Fotos schließen und ihre Punkte vergessen?",
    "هل تغلق كل الصور وتنسى نقاطها؟",
  ],
  progress: ["Progress", "Fortschritt", "التقدم"],
  stop: ["Stop", "Anhalten", "إيقاف"],
  strip: ["All photographs", "Alle Fotos", "كل الصور"],
  aboutHow: [
    "Click a spot and pick its colour. Drag moves a point, double-click or Delete takes it away. Wheel or two fingers zoom; drag moves the picture.",
    "Klicken Sie eine Stelle an und wählen Sie ihre Farbe. Ziehen verschiebt einen Punkt, Doppelklick oder Entf entfernt ihn. Mausrad oder zwei Finger vergrößern; Ziehen bewegt das Bild.",
    "انقر موضعًا واختر لونه. السحب يحرك النقطة، والنقر المزدوج أو Delete يحذفها. العجلة أو إصبعان للتكبير، والسحب يحرك الصورة.",
  ],
  aboutKeys: [
    "Keys: arrows and Enter set a point; Delete removes it; O shows the original; + − 0 zoom; Ctrl+Z and Ctrl+Y undo and redo.",
    "Tasten: Pfeile und Eingabe setzen einen Punkt; Entf entfernt ihn; O zeigt das Original; + − 0 vergrößern; Strg+Z und Strg+Y machen rückgängig und wiederholen.",
    "المفاتيح: الأسهم وEnter لوضع نقطة؛ Delete لحذفها؛ O لعرض الأصل؛ + − 0 للتكبير؛ Ctrl+Z وCtrl+Y للتراجع والإعادة.",
  ],
  aboutMore: [
    "Folders, films, 16 bits, TIFF as TIFF, HEIC and all metadata: colorize.py does that on a computer.",
    "Ordner, Filme, 16 Bit, TIFF als TIFF, HEIC und alle Metadaten: Das macht colorize.py auf einem Computer.",
    "المجلدات والأفلام و16 بت وTIFF وHEIC وكل البيانات: يقوم بها colorize.py على الحاسوب.",
  ],
  licences: ["Licences", "Lizenzen", "التراخيص"],
  back: ["Back", "Zurück", "رجوع"],

  loading: ["Getting ready …", "Wird vorbereitet …", "جارٍ التحضير …"],
  painting: ["Colorizing {0} …", "{0} wird eingefärbt …", "جارٍ تلوين {0} …"],
  painted: ["{0} is in colour.", "{0} ist farbig.", "{0} أصبحت ملونة."],
  allPainted: ["{0} photographs are in colour.", "{0} Fotos sind farbig.", "الصور الملونة: {0}."],
  improving: ["Cleaning {0} …", "{0} wird gesäubert …", "جارٍ تنظيف {0} …"],
  improved: ["{0} is clean.", "{0} ist sauber.", "{0} نظيفة الآن."],
  packing: ["Saving {0} of {1} …", "{0} von {1} wird gesichert …", "جارٍ حفظ {0} من {1} …"],
  saved: ["{0} is saved.", "{0} ist gesichert.", "حُفظ {0}."],
  pointSet: ["Point {0} is set.", "Punkt {0} ist gesetzt.", "وُضعت النقطة {0}."],
  pointKept: ["Point {0} keeps its colour.", "Punkt {0} behält seine Farbe.", "النقطة {0} تحفظ لونها."],
  pointMoved: ["Point {0} is moved.", "Punkt {0} ist verschoben.", "نُقلت النقطة {0}."],
  pointGone: ["Point {0} is removed.", "Punkt {0} ist entfernt.", "حُذفت النقطة {0}."],
  point: ["Point {0}, {1}", "Punkt {0}, {1}", "النقطة {0}، {1}"],
  undone: ["Undone.", "Rückgängig gemacht.", "تم التراجع."],
  redone: ["Redone.", "Wiederholt.", "تمت الإعادة."],
  picked: ["Colour {0} is picked up.", "Farbe {0} ist aufgenommen.", "التُقط اللون {0}."],
  hintsOpened: ["The points of {0} are back.", "Die Punkte von {0} sind wieder da.", "عادت نقاط {0}."],
  hintsAlone: [
    "{0} holds points; open its photograph first.",
    "{0} enthält Punkte; öffnen Sie erst das Foto dazu.",
    "يحتوي {0} على نقاط؛ افتح صورته أولًا.",
  ],
  stopped: ["Stopped.", "Angehalten.", "توقف."],
  facts: ["{0}: {1} × {2} pixels", "{0}: {1} × {2} Pixel", "{0}: {1} × {2} بكسل"],
  waiting: ["waiting", "wartet", "بالانتظار"],
  working: ["being colorized", "wird eingefärbt", "قيد التلوين"],
  done: ["in colour", "farbig", "ملونة"],
  failed: ["cannot be opened", "lässt sich nicht öffnen", "تعذر فتحها"],
  broken: [
    "{0} is damaged, or is no photograph that a browser can read.",
    "{0} ist beschädigt oder kein Foto, das ein Browser lesen kann.",
    "{0} تالف أو ليس صورة يستطيع المتصفح قراءتها.",
  ],
  heic: [
    "{0} is a HEIC picture, which this browser cannot read; Safari can, and so can: colorize.py --input {0}",
    "{0} ist ein HEIC-Bild, das dieser Browser nicht lesen kann; Safari kann es, und ebenso: colorize.py --input {0}",
    "{0} صورة HEIC لا يقرؤها هذا المتصفح؛ يقرؤها Safari، وكذلك: colorize.py --input {0}",
  ],
  tiff: [
    "{0} is a TIFF of a kind that this page cannot read; this can: colorize.py --input {0}",
    "{0} ist ein TIFF einer Art, die diese Seite nicht lesen kann; dies kann es: colorize.py --input {0}",
    "{0} ملف TIFF لا تستطيع هذه الصفحة قراءته؛ ويقرؤه: colorize.py --input {0}",
  ],
  large: [
    "{0} has more than 64 megapixels, too many for a page; this reads it: colorize.py --input {0}",
    "{0} hat mehr als 64 Megapixel, zu viele für eine Seite; dies liest es: colorize.py --input {0}",
    "{0} أكبر من 64 ميغابكسل، وهذا كثير على صفحة؛ يقرؤه: colorize.py --input {0}",
  ],
  memory: [
    "{0} is too large for this browser's memory.",
    "{0} ist zu groß für den Speicher dieses Browsers.",
    "{0} أكبر من ذاكرة هذا المتصفح.",
  ],
  forgetful: [
    "This browser keeps nothing: save your work before you close the page.",
    "Dieser Browser merkt sich nichts: Sichern Sie Ihre Arbeit, bevor Sie die Seite schließen.",
    "هذا المتصفح لا يحفظ شيئًا: احفظ عملك قبل إغلاق الصفحة.",
  ],
  cannotStart: [
    "This browser cannot run the page: {0}. A recent Chrome, Edge, Firefox or Safari can.",
    "Dieser Browser kann die Seite nicht ausführen: {0}. Ein neuerer Chrome, Edge, Firefox oder Safari kann es.",
    "لا يستطيع هذا المتصفح تشغيل الصفحة: {0}. يستطيع ذلك إصدار حديث من Chrome أو Edge أو Firefox أو Safari.",
  ],
};

let column = 0;

/** Return a text in the language that was chosen, with values in place of {0}, {1} ... */
export const text = (name, ...values) =>
  TEXTS[name][column].replace(/\{(\d)\}/g, (_, place) => values[place]);

export const isText = (name) => name in TEXTS;

/** Fill in the texts of the page: `data-text` names what is read, `data-label` the accessible name. */
export function fillIn() {
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = text(element.dataset.text);
  }
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", text(element.dataset.label));
    if (element.matches("button")) element.title = text(element.dataset.label);
  }
  document.title = text("title");
}

/** Offer the languages in a select; begin with the browser's, or the one that was chosen last. */
export function offerLanguages(select, changed) {
  const names = Object.keys(LANGUAGES);
  select.append(...names.map((name) => new Option(LANGUAGES[name], name)));
  const wanted = [localStorage.getItem("language"), ...navigator.languages];
  select.value = wanted.map((each) => each?.slice(0, 2)).find((each) => names.includes(each)) ?? "en";
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
