// A session of ONNX Runtime, and the calls that Python makes on it (`runtime.py`), in a page or under Node.

export class Session {
  // ort: the package onnxruntime-web or onnxruntime-node.
  // clock: returns the time in nanoseconds.
  constructor(ort, clock) {
    this.ort = ort;
    this.clock = clock;
    this.past = {};
  }

  // Answer a line of JSON: [name of a call, its arguments].
  // Returns a line of JSON, and the bytes of the tensors that it describes.
  async answer(line) {
    try {
      const [call, given] = JSON.parse(line);
      const { tensors = {}, ...result } = await this[call](given);
      const parts = Object.values(tensors).map(({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      const described = Object.entries(tensors).map(([name, { type, dims, data }]) => ({
        name,
        type,
        dims,
        bytes: data.byteLength,
      }));
      return [JSON.stringify({ ...result, tensors: described }), parts];
    } catch (error) {
      return [JSON.stringify({ error: `${error.name ?? "Error"}: ${error.message ?? error}` }), []];
    }
  }

  // Load a graph from a URL or a path, and return what it declares.
  async load({ graph, threads, options }) {
    this.ort.env.wasm.numThreads = threads;
    this.session = await this.ort.InferenceSession.create(graph, options);
    return {
      inputs: this.session.inputMetadata,
      outputs: this.session.outputNames,
      versions: this.ort.env.versions,
      node: globalThis.process?.versions.node, // undefined in a page
      threads: this.ort.env.wasm.numThreads, // onnxruntime-web sets it to 1 where it has no threads
    };
  }

  // Run one forward pass and return the tensors named. With an empty `presents` there is no past; otherwise it maps
  // outputs to the inputs that they become at the next step, and they stay here until then.
  // first: whether earlier steps are forgotten.
  async run({ feeds, names, presents, first }) {
    const inputs = { ...this.made(feeds), ...(first ? {} : this.past) };
    const start = this.clock();
    const found = await this.session.run(inputs, [...names, ...Object.keys(presents)]);
    const ns = elapsed(start, this.clock());
    this.past = Object.fromEntries(Object.entries(presents).map(([present, past]) => [past, found[present]]));
    return { ns, tensors: Object.fromEntries(names.map((name) => [name, found[name]])) };
  }

  // Make one untimed call and then the timed ones, and return the nanoseconds of each. The tensors are not returned.
  async timed({ feeds, names, calls }) {
    const inputs = this.made(feeds);
    await this.session.run(inputs, names);
    const ns = [];
    for (let call = 0; call < calls; call++) {
      const start = this.clock();
      await this.session.run(inputs, names);
      ns.push(elapsed(start, this.clock()));
    }
    return { ns };
  }

  // Run one forward pass in a new session, which writes a profile to a file that begins with a prefix. Node's addon alone
  // can do this: WebAssembly has no files.
  async profile({ graph, options, feeds, names, prefix }) {
    const profiled = { ...options, enableProfiling: true, profileFilePrefix: prefix };
    const session = await this.ort.InferenceSession.create(graph, profiled);
    await session.run(this.made(feeds), names);
    session.endProfiling();
    await session.release();
    return {};
  }

  // Return the tensors that a JSON object describes: name -> type, dims and values.
  made(feeds) {
    return Object.fromEntries(
      Object.entries(feeds).map(([name, { type, dims, values }]) => [name, new this.ort.Tensor(type, values, dims)]),
    );
  }
}

// Return the nanoseconds between two times, which are numbers or, under Node, integers of any size.
function elapsed(start, end) {
  return Math.round(Number(end - start));
}
