/** The code of an image as instructions. */
import { decode, MEM, type Op } from '../cpu/decode.ts'
import { GUEST_CALL_TAG } from '../smp/guestCalls.ts'
import type { MachineImage } from '../smp/image.ts'
import { EXECUTE } from '../smp/image.ts'

export interface Instruction {
  readonly address: number
  readonly op: Op
  readonly bytes: Uint8Array
}

/** The instruction that stands at `address` when the program starts; null: none does. */
export function instructionAt({ regions }: MachineImage, address: number): Instruction | null {
  const region = regions.find(({ start, bytes, access }) => (access & EXECUTE) !== 0 && address >= start && address < start + bytes.length)
  if (region === undefined) return null
  const at = address - region.start
  const op = decode(region.bytes, at, region.bytes.length - at, true)
  return op.length === 0 || op.row === null ? null : { address, op, bytes: region.bytes.slice(at, at + op.length) }
}

/** The image with other bytes at `address`. */
export function patched(image: MachineImage, address: number, replacement: Uint8Array): MachineImage {
  const target = image.regions.find(({ start, bytes }) => address >= start && address < start + bytes.length)!
  const bytes = target.bytes.slice()
  bytes.set(replacement, address - target.start)
  return { ...image, regions: image.regions.map((region) => (region === target ? { ...region, bytes } : region)) }
}

/** Number of the guest call that the instruction is; -1: it is none. */
export function guestCallOf(op: Op): number {
  return op.row?.mnemonic === 'nop' && op.a.kind === MEM && op.disp >>> 16 === GUEST_CALL_TAG ? op.disp & 0xffff : -1
}

/** Instructions of functions with a known size, in order, each once. */
export function instructionsOf(image: MachineImage): Instruction[] {
  const found = new Map<number, Instruction>()
  for (const { kind, address, sizeBytes } of image.symbols) {
    if (kind !== 'function') continue
    for (let at = address; at < address + sizeBytes; ) {
      const one = instructionAt(image, at)
      if (one === null) break
      found.set(at, one)
      at += one.op.length
    }
  }
  return [...found.values()].sort((a, b) => a.address - b.address)
}
