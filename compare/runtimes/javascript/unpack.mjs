// node unpack.mjs FROM TO: decompress a program that is compressed with Brotli.

import { createReadStream, createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress } from "node:zlib";

const [from, to] = process.argv.slice(2);
try {
  await pipeline(createReadStream(from), createBrotliDecompress(), createWriteStream(to, { mode: 0o755 }));
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
