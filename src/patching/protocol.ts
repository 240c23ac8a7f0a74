/**
 * A patching protocol as data: sites, how they are written, who executes them. It becomes a program of the building blocks;
 * properties generate protocols and hold the verdicts against what the model promises.
 */
import { assembleImage } from '../guest/asm/index.ts'
import type { MachineImage } from '../smp/image.ts'
import {
  copy, copyWide, formBytes, patchingData, pokeHandler, stopMachine, stopPoint, syncHandler, textPoke, type PokeSteps, type Site,
} from './blocks.ts'

export interface ProtocolSite {
  /** Place of its first byte in a line of 64 bytes. */
  readonly offset: number
  /** What stands there and what will: straight-line code, as many bytes each. */
  readonly before: readonly number[]
  readonly after: readonly number[]
}

export type Method =
  | { readonly kind: 'copy' | 'wide' }
  | { readonly kind: 'poke'; readonly steps: PokeSteps }
  /** Byte by byte while the others are stopped; `sync`: they serialise before they go on. */
  | { readonly kind: 'stop'; readonly sync: boolean }

/** Who executes the sites: the vCPU's task, with interrupts on; an interrupt or NMI handler of it. */
export type Caller = 'task' | 'irq' | 'nmi'

export interface Protocol {
  readonly sites: readonly ProtocolSite[]
  readonly method: Method
  readonly caller: Caller
  /** One patches, the others execute. */
  readonly vcpus: number
}

const IRQ_VECTOR = 0x40

/** The program: vCPU 0 patches, every other one executes each site before or meanwhile, sleeps until all is done, and executes it again. */
export function protocolText({ sites, method, caller, vcpus }: Protocol): string {
  const named = sites.map(({ before }, k): Site => ({ label: `site${k}`, sizeBytes: before.length, before: `before${k}`, after: `after${k}` }))
  const each = (write: (site: Site) => string) => named.map(write).join('\n')
  const patch =
    method.kind === 'copy' ? each((site) => copy(site))
    : method.kind === 'wide' ? each((site) => copyWide(site))
    : method.kind === 'poke' ? textPoke('poke', named, vcpus, method.steps)
    : stopMachine('stop', vcpus, each((site) => copy(site))) // prettier-ignore
  const pass = each(({ label }) => `  call ${label}`)
  const executor = (v: number) => {
    const run = caller === 'task' ? pass : '  nop'
    const stop = method.kind === 'stop' ? `  cli\n${stopPoint(`executor${v}`, v, method.sync)}\n  sti\n  nop` : ''
    return `.vcpu executor${v}\nexecutor${v}: sti\n  nop\n${run}\n${stop}\n  block\n  cli\n${run}\n  ret`
  }
  const handler = caller === 'task' ? '' : `handler: pushad\n${pass}\n  popad\n  iret\n`
  const sources = Array.from({ length: vcpus - 1 }, (_, k) => (caller === 'irq' ? `.irq ${k + 1}, ${IRQ_VECTOR}, handler, 1\n` : caller === 'nmi' ? `.nmi ${k + 1}, handler, 1\n` : ''))
  return `.title "${method.kind}, ${caller}"
.vcpu patcher
${Array.from({ length: vcpus - 1 }, (_, k) => executor(k + 1)).join('\n')}
${sources.join('')}${handler}${method.kind === 'poke' ? `${syncHandler()}\n${pokeHandler(named)}\n` : ''}
patcher:
${patch}
${Array.from({ length: vcpus - 1 }, (_, k) => `  kick ${k + 1}`).join('\n')}
  ret
${named.map(({ label, sizeBytes, before, after }, k) => `.forms ${label}, ${sizeBytes}, ${before}, ${after}${method.kind === 'poke' ? ', int3' : ''}
section .text
align 64
times ${sites[k].offset} nop
${label}: db ${sites[k].before.join(', ')}
  ret
  times 16 nop`).join('\n')}
section .rodata
${named.map(({ before, after }, k) => `${formBytes(before, sites[k].before)}\n${formBytes(after, sites[k].after)}`).join('\n')}
${patchingData(vcpus)}`
}

export const protocolImage = (protocol: Protocol): MachineImage => assembleImage(protocolText(protocol), { file: 'protocol.asm' })
