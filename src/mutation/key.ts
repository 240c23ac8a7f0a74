/** What a program is, apart from where it stands in its source: results of mutants are kept by it. */
import { sumOf } from '../explore/sealed.ts'
import { WRITE, type MachineImage } from '../smp/image.ts'
import { KNOBS, type Model } from '../smp/model.ts'

/** Records of include/xmcheck.h: dwords of one, the high bytes of its tag, and which dword is the line. */
const RECORD_TAG = 0x584d0100
const RECORD_LINE = 4

/** The same for the same code, data and declarations under the same model, and hardly ever otherwise. */
export function programKey(image: MachineImage, model: Model): string {
  const knobs = KNOBS.filter(({ name, fallback }) => model.knobs[name] !== fallback).map(({ name }) => [name, model.knobs[name]])
  const names = JSON.stringify([knobs, image.handledVectors, image.interrupts, image.sites, image.objects, image.points.map(({ kind, text }) => [kind, text]), ...(image.claims ?? [])])
  const words: number[] = [...new TextEncoder().encode(names)]
  for (const { start, sizeBytes, access, bytes } of image.regions) {
    const dwords = new Int32Array(Math.ceil(bytes.length / 4))
    new Uint8Array(dwords.buffer).set(bytes)
    if ((access & WRITE) === 0) dwords.forEach((word, k) => (word & ~0xff) === RECORD_TAG && k + RECORD_LINE < dwords.length && (dwords[k + RECORD_LINE] = 0))
    words.push(start, sizeBytes, access, ...sumOf(dwords))
  }
  for (const registers of [...image.vcpus.map((vcpu) => vcpu.registers), image.init, image.final]) words.push(...(registers ?? [0]))
  return sumOf(Int32Array.from(words)).map((lane) => (lane >>> 0).toString(16).padStart(8, '0')).join('')
}
