/**
 * Files behind a line that says what they are and a sum of what follows: one that was cut off or damaged is refused. The content is
 * msgpack; the readers below hold each part of it against what is expected there.
 */
import { Packr, Unpackr } from 'msgpackr'

const SUM_BYTES = 8

/** A file that is no checkpoint, or a damaged one; `message` says what is wrong. */
export class CheckpointError extends Error {}

const packr = new Packr({ useRecords: false, variableMapSize: true })
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true })

/** @param magic first line of the file */
export function seal(magic: string, content: unknown): Uint8Array {
  const body = packr.pack(content)
  const head = new TextEncoder().encode(magic)
  const file = new Uint8Array(head.length + SUM_BYTES + body.length)
  file.set(head)
  new DataView(file.buffer).setInt32(head.length, sumOf(body)[0])
  new DataView(file.buffer).setInt32(head.length + 4, sumOf(body)[1])
  file.set(body, head.length + SUM_BYTES)
  return file
}

/** The file is one of this kind. */
export function isSealed(magic: string, file: Uint8Array): boolean {
  const head = new TextEncoder().encode(magic)
  return file.length >= head.length + SUM_BYTES && head.every((byte, k) => file[k] === byte)
}

/** @throws CheckpointError */
export function unseal<T>(magic: string, file: Uint8Array, read: (content: Raw) => T): T {
  if (!isSealed(magic, file)) throw new CheckpointError('it is no checkpoint of this kind and version')
  const at = new TextEncoder().encode(magic).length
  const body = file.subarray(at + SUM_BYTES)
  const view = new DataView(file.buffer, file.byteOffset + at)
  const [h0, h1] = sumOf(body)
  if (view.getInt32(0) !== h0 || view.getInt32(4) !== h1) throw new CheckpointError('the checkpoint is damaged')
  try {
    return read(record(unpackr.unpack(body)))
  } catch {
    throw new CheckpointError('the checkpoint is damaged')
  }
}

export function sumOf(bytes: Uint8Array | Int32Array): [number, number] {
  let h0 = bytes.length
  let h1 = ~bytes.length
  for (let k = 0; k < bytes.length; k++) {
    h0 = Math.imul(h0 ^ bytes[k] ^ (h1 >>> 15), 0x85ebca6b)
    h1 = Math.imul(h1 ^ bytes[k] ^ (h0 >>> 13), 0xc2b2ae35)
  }
  return [h0, h1]
}

export type Raw = Record<string, unknown>

function wrong(): never {
  throw new CheckpointError('the checkpoint is damaged')
}
export const record = (value: unknown): Raw => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Raw) : wrong())
export const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : wrong())
export const text = (value: unknown): string => (typeof value === 'string' ? value : wrong())
export const number = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : wrong())
export const integer = (value: unknown): number => (Number.isInteger(value) ? (value as number) : wrong())
export const count = (value: unknown): number => (integer(value) >= 0 ? (value as number) : wrong())
