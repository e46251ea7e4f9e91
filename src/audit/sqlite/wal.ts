import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";

const headerBytes = 32;
const frameHeaderBytes = 24;
const pageSizes = new Set([512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]);
/** First word of a WAL file; the last bit says that its checksums read words with the high byte first. */
const magic = 0x377f0682;

/**
 * Counts the bytes of an unfinished write at the end of a WAL file: what follows the last whole transaction and was
 * written since the file was last begun anew. SQLite drops them when it opens the database. Called before that, by the
 * process that alone may write.
 * @see https://www.sqlite.org/fileformat2.html#walformat
 */
export function unfinishedBytes(path: string): number {
  if (!existsSync(path)) return 0;
  const file = openSync(path, "r");
  try {
    const header = read(file, 0, headerBytes);
    const pageBytes = header.length < headerBytes ? 0 : header.readUInt32BE(8);
    // With a header that is cut off or damaged SQLite drops the whole file.
    if (!pageSizes.has(pageBytes)) return fstatSync(file).size;
    return unfinishedAfter(file, header, frameHeaderBytes + pageBytes);
  } finally {
    closeSync(file);
  }
}

/** Goes from frame to frame while they are of this header's generation. */
function unfinishedAfter(file: number, header: Buffer, frameBytes: number): number {
  const first = header.readUInt32BE(0);
  const highFirst = first === magic + 1;
  const salts = header.subarray(16, 24);
  let sum = checksum(header.subarray(0, 24), [0, 0], highFirst);
  let whole = (first === magic || highFirst) && isSum(header.subarray(24, 32), sum);
  let unfinished = 0;
  let offset = headerBytes;
  let frame = read(file, offset, frameBytes);
  const isOurs = () => frame.subarray(8, 16).equals(salts);
  while (frame.length === frameBytes && isOurs()) {
    sum = checksum(frame.subarray(0, 8), sum, highFirst);
    sum = checksum(frame.subarray(frameHeaderBytes), sum, highFirst);
    whole &&= isSum(frame.subarray(16, 24), sum);
    const commits = frame.readUInt32BE(4) !== 0;
    unfinished = whole && commits ? 0 : unfinished + frameBytes;
    offset += frameBytes;
    frame = read(file, offset, frameBytes);
  }
  // An end too short to tell its generation is left by a write that was cut off, and by nothing else.
  const cutOff = frame.length < frameHeaderBytes || (frame.length < frameBytes && isOurs());
  return cutOff ? unfinished + frame.length : unfinished;
}

type Sum = readonly [number, number];

/** The running checksum of a WAL file over so many more bytes, a multiple of 8. */
function checksum(bytes: Buffer, [start0, start1]: Sum, highFirst: boolean): Sum {
  let sum0 = start0;
  let sum1 = start1;
  for (let at = 0; at < bytes.length; at += 8) {
    const word0 = highFirst ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
    const word1 = highFirst ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4);
    sum0 = (sum0 + word0 + sum1) >>> 0;
    sum1 = (sum1 + word1 + sum0) >>> 0;
  }
  return [sum0, sum1];
}

function isSum(bytes: Buffer, [sum0, sum1]: Sum): boolean {
  return bytes.readUInt32BE(0) === sum0 && bytes.readUInt32BE(4) === sum1;
}

/** So many bytes from there on; fewer at the end of the file. */
function read(file: number, offset: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  return buffer.subarray(0, readSync(file, buffer, 0, length, offset));
}
