/** Object files of the repository, linked: each once for all tests of a worker. */
import { readFileSync } from 'node:fs'
import { loadObjects } from '../src/guest/loadObjects.ts'
import type { MachineImage } from '../src/smp/image.ts'

/** @param path from the root of the repository */
export const bytesAt = (path: string): Uint8Array => new Uint8Array(readFileSync(new URL(`../${path}`, import.meta.url)))

const programs = new Map<string, MachineImage>()
/** @param path of an object, from the root of the repository; it is the title too */
export function programAt(path: string): MachineImage {
  const known = programs.get(path) ?? loadObjects([{ name: path, bytes: bytesAt(path) }], { title: path })
  programs.set(path, known)
  return known
}
