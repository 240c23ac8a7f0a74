/** examples/locks/mix.c with other scripts and kinds of locks. */
import { checkImage } from '../src/explore/check.ts'
import { assembleImage } from '../src/guest/asm/index.ts'
import type { MachineImage } from '../src/smp/image.ts'
import { makeModel } from '../src/smp/model.ts'
import { programAt } from '../test/programs.ts'

/** Operations of a script (examples/locks/mix.c). */
export const OPS = { take: 1, give: 2, off: 3, on: 4, work: 5 } as const
export type Op = readonly [op: keyof typeof OPS, lock: number]
export interface Mix {
  /** By lock: its kind, as mix.c numbers them. */
  readonly kinds: readonly number[]
  /** Of the three vCPUs, and of the interrupt on vCPU 0 (empty: there is none). */
  readonly scripts: readonly (readonly Op[])[]
}
const STEPS = 16

function mixImage({ kinds, scripts }: Mix): MachineImage {
  const image = programAt(`examples/locks/objects/${scripts[3].length > 0 ? 'mix-IRQ.o' : 'mix.o'}`)
  const works = (some: Mix['scripts']) => [0, 1].map((lock) => some.flat().filter((op) => op[0] === 'work' && op[1] === lock).length)
  const tables = { mix_kinds: kinds, mix_works: [...works(scripts.slice(0, 3)), ...works(scripts.slice(3))], mix_scripts: scripts.flatMap((script) => [...script.map(([op, lock]) => (OPS[op] << 4) | lock), ...new Array<number>(STEPS - script.length).fill(0)]) }
  let { regions } = image
  for (const [name, bytes] of Object.entries(tables)) {
    const { address } = image.symbols.find((one) => one.name === name)!
    regions = regions.map((region) => {
      const at = (address >>> 0) - (region.start >>> 0)
      if (at < 0 || at >= region.sizeBytes) return region
      // Zeros at the end of a region are not written down.
      const copy = new Uint8Array(Math.max(region.bytes.length, at + bytes.length))
      copy.set(region.bytes)
      copy.set(bytes, at)
      return { ...region, bytes: copy }
    })
  }
  return { ...image, regions }
}

/** The same of tickets and bytes in a few instructions of assembly: what an interrupt may come between is few states then. */
function assembledMix({ kinds, scripts }: Mix): MachineImage {
  let labels = 0
  const take = (k: number) => {
    const label = `wait${labels++}`
    if (kinds[k] === TICKET) return `mov eax, 0x10000\nlock xadd [locks + ${k * 4}], eax\nshr eax, 16\n${label}: cmp [locks + ${k * 4}], ax\njne ${label}`
    return `${label}: mov eax, 1\nxchg [locks + ${k * 4}], eax\ntest eax, eax\njnz ${label}`
  }
  const give = (k: number) => (kinds[k] === TICKET ? `inc word [locks + ${k * 4}]` : `mov dword [locks + ${k * 4}], 0`)
  const lower = ([op, k]: Op) => ({ take: take(k), give: give(k), off: 'cli', on: 'sti\nnop', work: `inc dword [data + ${k * 4}]` })[op]
  const vcpus = scripts.slice(0, 3).flatMap((script, v) => (script.length === 0 ? [] : [v]))
  const works = (some: Mix['scripts'], lock: number) => some.flat().filter(([op, k]) => op === 'work' && k === lock).length
  const right = [0, 1].map((k) => `imul ecx, [taken], ${works([scripts[3]], k)}\nadd ecx, ${works(scripts.slice(0, 3), k)}\nxor eax, eax\ncmp [data + ${k * 4}], ecx\nsete al\nassert eax`)
  const text = [
    ...vcpus.map((v) => `.vcpu v${v}`),
    '.irq 0, 0x40, handler, 1\n.final check',
    ...vcpus.map((v) => `v${v}:\n${scripts[v].map(lower).join('\n')}\ncli\nret`),
    `handler:\npush eax\nmov dword [taken], 1\n${scripts[3].map(lower).join('\n')}\npop eax\niretd`,
    `check:\n${right.join('\n')}\nret`,
    'section .data\nlocks: dd 0, 0\ndata: dd 0, 0\ntaken: dd 0',
  ]
  return assembleImage(text.join('\n'), { title: 'mix' })
}
const TICKET = 0

/** `holds`, the kind of the violation, or why neither can be said. @param assembled as assembly, with an interrupt of vCPU 0 */
export function judgeMix(mix: Mix, pcpus: number, assembled: boolean): string {
  const image = assembled ? assembledMix(mix) : mixImage(mix)
  const { verdict, strength, violation, reasons } = checkImage(image, makeModel({ pcpus }), { limits: { states: 300_000 } })
  return violation?.kind ?? (verdict === 'holds' && strength === 'complete' ? verdict : `${verdict} ${strength}: ${reasons.join('; ')}`)
}
