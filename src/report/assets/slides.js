// Loads the files of a slide when the slide is selected. The files are scripts, because
// a page that was opened from a file may not fetch other files.

// Slides kept in memory.
const KEPT = 6;

class Slides {
  constructor() {
    this.loaded = new Map();
    this.arrived = { facts: new Map(), layers: new Map() };
    window.slidegrid = {
      facts: (folder, facts) => this.arrived.facts.set(folder, facts),
      layers: (folder, layers) => this.arrived.layers.set(folder, layers),
    };
  }

  // A promise of {facts, layers, picture}; picture is null if the slide has none.
  load(folder) {
    if (!this.loaded.has(folder)) {
      if (this.loaded.size >= KEPT) this.loaded.delete(this.loaded.keys().next().value);
      const loading = this.read(folder);
      loading.catch(() => this.loaded.delete(folder));
      this.loaded.set(folder, loading);
    }
    return this.loaded.get(folder);
  }

  async read(folder) {
    const [facts, layers] = await Promise.all([this.script(folder, "facts"), this.script(folder, "layers")]);
    const { heat, tissue, truth } = layers;
    [layers.heatMap, layers.tissueMap, layers.truthMask] = await Promise.all([heat, tissue, truth?.mask].map(unpacked));
    const picture = layers.picture ? await image(`slides/${folder}/slide.jpg`) : null;
    return { facts, layers, picture };
  }

  script(folder, what) {
    const path = `slides/${folder}/${what}.js`;
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = path;
      script.onerror = () => reject(new Error(`${path} is not beside this page`));
      script.onload = () => {
        script.remove();
        const found = this.arrived[what].get(folder);
        this.arrived[what].delete(folder);
        if (found) resolve(found);
        else reject(new Error(`${path} does not have the expected content`));
      };
      document.head.append(script);
    });
  }
}

function image(path) {
  return new Promise((resolve, reject) => {
    const picture = new Image();
    picture.onload = () => resolve(picture);
    picture.onerror = () => reject(new Error(`${path} is not beside this page`));
    picture.src = path;
  });
}
