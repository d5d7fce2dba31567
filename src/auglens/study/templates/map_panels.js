// Draws what the map browser shows: panels, their scale, their table. Knows no control.
// A level is a pixel's share of its method's scale; a value is a multiple of the uniform value.

const MEAN = "mean";
const UNIT = "multiples of the uniform value";
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

async function unpack(text) {
  const packed = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function element(tag, properties = {}, children = []) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function say(value, digits) {
  return Number.isFinite(value) ? value.toFixed(digits).replace(/^-(0\.?0*)$/, "$1").replace("-", "\u2212") : "\u2013";
}

function paint(canvas, width, height, colourOf) {
  canvas.width = width;
  canvas.height = height;
  const picture = new ImageData(width, height);
  for (let place = 0; place < width * height; place++) {
    picture.data.set([...colourOf(place), 255], 4 * place);
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

function pick(colours, share) {
  return colours[Math.round(Math.min(Math.max(share, 0), 1) * (colours.length - 1))];
}

class Panels {
  constructor(root, data, pixels) {
    Object.assign(this, { root, data, pixels });
    [this.height, this.width] = data.size;
    this.cursor = null;
    this.turn = 0;
  }

  part(name) {
    return this.root.querySelector(`[data-part=${name}]`);
  }

  // Whether it was drawn: a later change may have been quicker to unpack.
  async draw(state) {
    const turn = ++this.turn;
    const loaded = await this.load(state);
    if (turn !== this.turn) return false;
    this.state = state;
    this.reference = this.data.baseline === null ? null : loaded[this.data.baseline];
    this.shown = state.conditions.map((condition) => loaded[condition]);
    this.drawPanels();
    this.drawScale();
    this.drawTable();
    this.point(this.cursor);
    return true;
  }

  async load({ image, method, seed }) {
    const { means, singles } = this.data.methods[method];
    const single = seed !== MEAN;
    const content = await unpack((single ? singles : means)[image]);
    const rows = single ? this.data.singleRuns.length : this.data.conditions.length;
    const [area, columns] = [this.width * this.height, this.data.measures.length + !single];
    const numbers = new Float32Array(content.slice(rows * area).buffer);
    const show = (condition) => {
      const row = single ? this.runOf(condition, seed) : condition;
      if (row < 0) return { condition, levels: null, numbers: [] };
      const levels = content.subarray(row * area, (row + 1) * area);
      return { condition, levels, numbers: numbers.subarray(row * columns, (row + 1) * columns) };
    };
    return this.data.conditions.map((_, condition) => show(condition));
  }

  runOf(condition, seed) {
    const { runs, singleRuns } = this.data;
    return singleRuns.findIndex((run) => runs[run].condition === condition && runs[run].seed === seed);
  }

  obstacle({ levels }) {
    if (levels === null) return "no run of this seed";
    if (levels[0] === this.data.absent) return "no map";
    return levels[0] === this.data.undefined ? "undefined" : "";
  }

  value(panel, place) {
    const { limit } = this.data.methods[this.state.method];
    const ofLevel = (levels) => (levels[place] * limit) / this.data.levels;
    if (this.state.view !== "difference") return ofLevel(panel.levels);
    return ofLevel(panel.levels) - ofLevel(this.reference.levels);
  }

  sayValue(panel, place) {
    const past = (levels) => levels[place] === this.data.levels;
    const value = say(this.value(panel, place), 2);
    if (this.state.view !== "difference") return past(panel.levels) ? `\u2265 ${value}` : value;
    return past(panel.levels) || past(this.reference.levels) ? `about ${value}` : value;
  }

  imageColour(number, place) {
    const pixels = this.pixels[number];
    const channels = pixels.length / (this.width * this.height);
    return [0, 1, 2].map((channel) => pixels[channels * place + (channel % channels)]);
  }

  colour(panel, place) {
    const { limit, differenceLimit } = this.data.methods[this.state.method];
    const value = this.value(panel, place);
    if (this.state.view === "difference") {
      return pick(this.data.differenceColours, (value / differenceLimit + 1) / 2);
    }
    const colour = pick(this.data.colours, value / limit);
    if (this.state.view === "map") return colour;
    // The same law as in the report's figures: the more salient, the more opaque.
    const opacity = 0.25 + (0.65 * value) / limit;
    const below = this.imageColour(this.state.image, place);
    return below.map((part, channel) => (1 - opacity) * part + opacity * colour[channel]);
  }

  drawPanels() {
    const focused = this.root.querySelector("canvas:focus")?.dataset.panel;
    this.panels = [this.imagePanel(), ...this.shown.map((panel) => this.mapPanel(panel))];
    this.part("panels").replaceChildren(...this.panels.map((panel) => panel.figure));
    this.panels.find((panel) => panel.canvas.dataset.panel === focused)?.canvas.focus();
  }

  paintImage(canvas, number) {
    paint(canvas, this.width, this.height, (place) => this.imageColour(number, place));
  }

  imagePanel() {
    const { image } = this.state;
    const { id, label } = this.data.images[image];
    const title = `image ${id}: ${this.data.classes[label]}`;
    const bright = (place) =>
      `brightness ${[...new Set(this.imageColour(image, place))].map((part) => say(part / 255, 2)).join(" / ")}`;
    return this.panel("image", title, "", (place) => this.imageColour(image, place), bright);
  }

  mapPanel(panel) {
    const title = this.data.conditions[panel.condition].label;
    const difference = this.state.view === "difference";
    const ofReference = difference && this.obstacle(this.reference);
    const obstacle = this.obstacle(panel) || (ofReference && `baseline: ${ofReference}`) || "";
    const colour = obstacle ? () => [128, 128, 128] : (place) => this.colour(panel, place);
    const read = obstacle ? () => obstacle : (place) => this.sayValue(panel, place);
    return this.panel(String(panel.condition), title, obstacle, colour, read);
  }

  panel(name, title, obstacle, colour, read) {
    const canvas = element("canvas", { tabIndex: 0 });
    canvas.dataset.panel = name;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", `${title}${obstacle && `, ${obstacle}`}; arrow keys read pixels`);
    paint(canvas, this.width, this.height, colour);
    this.listenTo(canvas);
    const mark = element("div", { className: "map-browser-cursor", hidden: true });
    const cover = element("p", {}, obstacle ? [element("span", { textContent: obstacle })] : []);
    const output = element("output");
    output.setAttribute("aria-live", "off");
    const frame = element("div", { className: "map-browser-frame" }, [canvas, cover, mark]);
    const figure = element("figure", {}, [frame, element("figcaption", { textContent: title }), output]);
    return { title, canvas, mark, output, read, figure };
  }
  listenTo(canvas) {
    const pixel = (event) => {
      const box = canvas.getBoundingClientRect();
      const within = (share, number) => Math.min(Math.max(Math.floor(share * number), 0), number - 1);
      const row = within((event.clientY - box.top) / box.height, this.height);
      this.point([row, within((event.clientX - box.left) / box.width, this.width)]);
    };
    canvas.addEventListener("pointermove", pixel);
    canvas.addEventListener("pointerdown", pixel);
    canvas.addEventListener("keydown", (event) => {
      const step = ARROWS[event.key];
      if (!step) return;
      event.preventDefault();
      const [row, column] = this.cursor ?? [Math.floor(this.height / 2), Math.floor(this.width / 2)];
      this.point([
        Math.min(Math.max(row + step[0], 0), this.height - 1),
        Math.min(Math.max(column + step[1], 0), this.width - 1),
      ]);
      this.part("status").textContent = this.readAloud();
    });
    canvas.addEventListener("focus", () => {
      this.point(this.cursor ?? [Math.floor(this.height / 2), Math.floor(this.width / 2)]);
    });
  }

  point(cursor) {
    this.cursor = cursor;
    if (cursor === null) return;
    const [row, column] = cursor;
    const percent = (part, whole) => `${(100 * part) / whole}%`;
    for (const { mark, output, read } of this.panels) {
      Object.assign(mark.style, { top: percent(row, this.height), left: percent(column, this.width) });
      Object.assign(mark.style, { height: percent(1, this.height), width: percent(1, this.width) });
      mark.hidden = false;
      output.textContent = read(row * this.width + column);
    }
    this.part("pixel").textContent = `Row ${row + 1}, column ${column + 1}; maps in ${UNIT}.`;
  }

  readAloud() {
    const [row, column] = this.cursor;
    const values = this.panels.map(({ title, output }) => `${title} ${output.textContent}`);
    return `Row ${row + 1}, column ${column + 1}: ${values.join("; ")}`;
  }

  drawScale() {
    const { limit, differenceLimit, name } = this.data.methods[this.state.method];
    const difference = this.state.view === "difference";
    const colours = difference ? this.data.differenceColours : this.data.colours;
    const scale = this.part("scale");
    paint(scale.querySelector("canvas"), colours.length, 1, (place) => colours[place]);
    const [low, high] = difference ? [-differenceLimit, differenceLimit] : [0, limit];
    const ticks = [0, 1, 2, 3, 4].map((quarter) => say(low + (quarter / 4) * (high - low), 2));
    ticks[4] = `\u2265 ${ticks[4]}`;
    if (difference) ticks[0] = `\u2264 ${ticks[0]}`;
    scale.querySelector("div").replaceChildren(...ticks.map((text) => element("span", { textContent: text })));
    const what = difference ? "P minus the baseline's P" : "P = map / sum";
    scale.querySelector("figcaption").textContent = `${name}: ${what}, in ${UNIT}. One scale for all panels.`;
  }

  drawTable() {
    const mean = this.state.seed === MEAN;
    const measures = this.data.measures.map(({ title, unit }) => [title, unit]);
    const heads = [["training set", ""], ["prediction", ""], ...(mean ? [["maps", ""]] : []), ...measures];
    const cells = heads.map(([title, unit]) =>
      element("th", { scope: "col" }, [title, ...(unit ? [element("small", { textContent: unit })] : [])]));
    const rows = this.shown.map((panel) => element("tr", {}, [
      element("th", { scope: "row", textContent: this.data.conditions[panel.condition].label }),
      ...this.cells(panel, mean).map((text) => element("td", { textContent: text })),
    ]));
    const table = this.part("table");
    const said = "Measures of this image's maps" + (mean ? ", means over seeds; maps: how many are defined" : "");
    table.querySelector("caption").replaceChildren(element("span", { textContent: `${said}.` }));
    table.querySelector("thead").replaceChildren(element("tr", {}, cells));
    table.querySelector("tbody").replaceChildren(...rows);
  }

  cells({ condition, numbers }, mean) {
    const [counts, values] = mean ? [[numbers[0]], numbers.subarray(1)] : [[], numbers];
    const measured = this.data.measures.map((_, place) => say(values[place], 3));
    return [this.sayPrediction(condition), ...counts.map(String), ...measured];
  }

  sayPrediction(condition) {
    const { image, seed } = this.state;
    const { label, predictions } = this.data.images[image];
    const own = this.data.runs.flatMap((run, number) =>
      run.condition === condition && [MEAN, run.seed].includes(seed) ? [predictions[number]] : []);
    const right = own.filter((prediction) => prediction === label).length;
    if (own.length > 1) return `${right} of ${own.length} right`;
    const name = this.data.classes[own[0]];
    return name === undefined ? "\u2013" : `${name} (${right ? "right" : "wrong"})`;
  }
}
