// The controls of the map browser, and its state in the page's address. Draws nothing itself.
// Everything it shows lies in the page; it asks for nothing.

const VIEWS = { map: "maps", overlay: "maps over the image", difference: "maps minus the baseline's" };

class MapBrowser {
  constructor(root) {
    this.root = root;
    this.data = JSON.parse(root.querySelector("script").textContent);
    this.key = `maps-${this.data.group}`;
  }

  part(name) {
    return this.root.querySelector(`[data-part=${name}]`);
  }

  control(name) {
    return this.root.querySelector(`[data-control=${name}]`);
  }

  async start() {
    const pixels = await Promise.all(this.data.images.map((image) => unpack(image.pixels)));
    this.panels = new Panels(this.root, this.data, pixels);
    this.fillControls();
    this.listen();
    this.readHash();
    this.root.hidden = false;
    await this.draw(this.settle());
    if (this.address().has(this.key)) this.root.scrollIntoView();
  }

  address() {
    return new URLSearchParams(location.hash.slice(1));
  }

  defaults() {
    const chosen = this.data.conditions.flatMap((one, number) => (one.chosen ? [number] : []));
    return { image: 0, method: 0, seed: MEAN, view: "map", conditions: chosen };
  }

  readHash() {
    const text = this.address().get(this.key) ?? "";
    const said = Object.fromEntries(text.split(";").map((field) => field.split(":", 2)));
    const { images, methods, seeds, conditions } = this.data;
    this.state = this.defaults();
    const place = (name, among) => {
      const found = among.indexOf(said[name]);
      if (found >= 0) this.state[name] = found;
    };
    place("image", images.map((one) => String(one.id)));
    place("method", methods.map((one) => one.name));
    place("seed", seeds.slice(0, this.data.numSingleSeeds));
    if (Object.hasOwn(VIEWS, said.view)) this.state.view = said.view;
    if (said.conditions !== undefined) {
      const named = said.conditions.split(".");
      this.state.conditions = [...conditions.keys()].filter((one) => named.includes(String(one)));
    }
  }

  writeHash() {
    const { image, method, seed, view, conditions } = this.state;
    const { images, methods, seeds } = this.data;
    const said = seed === MEAN ? MEAN : seeds[seed];
    const fields = [`image:${images[image].id}`, `method:${methods[method].name}`, `seed:${said}`];
    fields.push(`view:${view}`, `conditions:${conditions.join(".")}`);
    const all = this.address();
    // What else stands there is the place of a heading, which this address replaces.
    [...all.keys()].filter((key) => !key.startsWith("maps-")).forEach((key) => all.delete(key));
    all.set(this.key, fields.join(";"));
    history.replaceState(null, "", `#${all}`);
  }

  change(changes) {
    Object.assign(this.state, changes);
    const notice = this.settle();
    this.writeHash();
    return this.draw(notice);
  }

  // Single seeds are kept for some images and methods only, differences need a baseline.
  settle() {
    const { state, data } = this;
    if (state.view === "difference" && data.baseline === null) state.view = "map";
    const kept = data.methods[state.method].singles.length;
    if (state.seed === MEAN || state.image < kept) return "";
    state.seed = MEAN;
    return kept
      ? `Single seeds are here for the first ${kept} images only; this is the mean.`
      : "There are no single seeds of this method here; this is the mean.";
  }

  fillControls() {
    const { images, methods, seeds, conditions, classes, baseline } = this.data;
    const options = (name, texts) =>
      this.control(name).append(...texts.map((text, value) => element("option", { value, textContent: text })));
    options("image", images.map((one, number) => `${number + 1}: ${classes[one.label]} (${one.id})`));
    options("method", methods.map((one) => one.name));
    this.control("seed").append(element("option", { value: MEAN, textContent: this.meanName() }));
    const single = methods.some((one) => one.singles.length);
    const kept = seeds.slice(0, this.data.numSingleSeeds);
    if (single) options("seed", kept.map((seed) => `seed ${seed}`));
    this.part("conditions").append(...conditions.map((one, value) => {
      const box = element("input", { type: "checkbox", value });
      const key = element("span", { className: "key" });
      key.style.background = one.colour;
      return element("label", {}, [box, " ", key, one.label]);
    }));
    this.part("strip").append(...images.map((one, number) => this.thumbnail(one, number)));
    this.root.querySelector("[data-control=view][value=difference]").disabled = baseline === null;
  }

  meanName() {
    const numbers = this.data.conditions.map((one) => one.runs);
    const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
    if (most === 1) return "one seed";
    return `mean over ${least === most ? most : `${least} to ${most}`} seeds`;
  }

  thumbnail(image, number) {
    const canvas = element("canvas");
    this.panels.paintImage(canvas, number);
    const button = element("button", { type: "button", value: number }, [canvas]);
    button.setAttribute("aria-label", `image ${image.id}, ${this.data.classes[image.label]}`);
    return button;
  }

  syncControls() {
    const { image, method, seed, view, conditions } = this.state;
    Object.entries({ image, method, seed }).forEach(([name, value]) => (this.control(name).value = value));
    this.root.querySelectorAll("[data-control=view]").forEach((one) => (one.checked = one.value === view));
    const boxes = this.part("conditions").querySelectorAll("input");
    boxes.forEach((box, number) => (box.checked = conditions.includes(number)));
    const kept = this.data.methods[method].singles.length;
    this.part("seeds").textContent = kept ? `single seeds: images 1 to ${kept}` : "";
    for (const [number, button] of [...this.part("strip").children].entries()) {
      button.setAttribute("aria-pressed", number === image);
      button.tabIndex = number === image ? 0 : -1;
      if (number === image) this.reveal(button);
    }
  }

  // scrollIntoView would move the page too.
  reveal(button) {
    const strip = this.part("strip");
    strip.scrollLeft = button.offsetLeft - strip.offsetLeft - (strip.clientWidth - button.clientWidth) / 2;
  }

  listen() {
    const numeric = (name) => this.control(name).addEventListener("change", (event) =>
      this.change({ [name]: event.target.value === MEAN ? MEAN : Number(event.target.value) }));
    ["image", "method", "seed"].forEach(numeric);
    this.root.querySelectorAll("[data-control=view]").forEach((radio) =>
      radio.addEventListener("change", () => this.change({ view: radio.value })));
    this.part("conditions").addEventListener("change", () => {
      const checked = this.part("conditions").querySelectorAll("input:checked");
      this.change({ conditions: [...checked].map((box) => Number(box.value)) });
    });
    this.root.querySelectorAll("[data-step]").forEach((button) =>
      button.addEventListener("click", () => this.step(Number(button.dataset.step))));
    const strip = this.part("strip");
    strip.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.change({ image: Number(button.value) });
    });
    strip.addEventListener("keydown", (event) => {
      if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
      event.preventDefault();
      this.step(ARROWS[event.key][1]);
      strip.children[this.state.image].focus({ preventScroll: true });
    });
    window.addEventListener("hashchange", () => {
      if (!this.address().has(this.key)) return;
      this.readHash();
      this.draw(this.settle());
    });
  }

  step(by) {
    const number = this.data.images.length;
    return this.change({ image: (this.state.image + by + number) % number });
  }

  async draw(notice) {
    this.syncControls();
    const state = { ...this.state };
    if (!(await this.panels.draw(state))) return;
    // Only now: it says what is to be seen.
    this.part("status").textContent = [this.describe(state), notice].filter(Boolean).join(" ");
    this.part("note").textContent = this.data.methods[state.method].note;
  }

  describe({ image, method, seed, view, conditions }) {
    const { images, methods, seeds, classes } = this.data;
    const { id, label } = images[image];
    const where = `Image ${id}: ${classes[label]} (${image + 1} of ${images.length})`;
    const which = seed === MEAN ? this.meanName() : `seed ${seeds[seed]}`;
    const said = conditions.length ? "" : " No training set is chosen.";
    return `${where}; ${methods[method].name}; ${which}; ${VIEWS[view]}.${said}`;
  }
}

async function show(root) {
  try {
    await new MapBrowser(root).start();
  } catch (error) {
    root.replaceChildren(element("p", { textContent: `The maps cannot be shown: ${error.message}` }));
    root.hidden = false;
  }
}

for (const root of document.querySelectorAll(".map-browser")) {
  if ("DecompressionStream" in window) show(root);
  else root.replaceWith("This browser is too old to unpack the maps.");
}
