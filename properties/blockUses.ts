/**
 * Uses of the blocks of patchingBlocks.ts: programs that patch while an interrupt or NMI of the same vCPU, or another vCPU, runs the code, with and
 * without each synchronisation; and what the oracle of patchingOracle.ts says of them.
 *
 * Where the vCPU that patches is the one that executes, what matters is whether it sees its own stores to code before it serialises (knob
 * ownStores): `seen` is what parts do from the Pentium on, `lag` is what portable code has to assume; through an alias, smcMatch.
 */
import fc from 'fast-check'
import { checkImage, type Engine } from '../src/explore/check.ts'
import { assembleImage } from '../src/guest/asm/index.ts'
import type { PokeSteps } from '../src/patching/blocks.ts'
import { breakpoints, STEPS, syncDeclarations, syncGroup } from '../src/patching/library.ts'
import type { MachineImage } from '../src/smp/image.ts'
import { makeModel } from '../src/smp/model.ts'
import { BLOCKS, type Block, type Where } from './patchingBlocks.ts'
import { canFail, splits, type Passes } from './patchingOracle.ts'

export interface BlockUse {
  readonly block: keyof typeof BLOCKS
  /** Places of its pieces of code in lines of 64 bytes. */
  readonly offsets: readonly [number, number]
  /** Bytes between the old and the new function: how far their displacements differ. */
  readonly apart: number
  readonly steps: PokeSteps
  readonly where: Where
  /** The patcher says in the end that nobody runs anything else any more. */
  readonly claims: boolean
  /** The other vCPU comes online meanwhile. */
  readonly late: boolean
}
/** How a vCPU sees its own stores to code. */
export interface Sees {
  readonly ownStores: 'seen' | 'lag'
  readonly smcMatch: 'linear' | 'physical'
}

export const isHere = (where: Where): where is 'irq' | 'nmi' => where === 'irq' || where === 'nmi'
const callerOf = (where: Where) => (where === 'other task' ? 'task' : where.endsWith('nmi') ? 'nmi' : 'irq')
const numberOf = ({ sync1, sync2, sync3 }: PokeSteps) => (sync1 ? STEPS.first : 0) | (sync2 ? STEPS.second : 0) | (sync3 ? STEPS.third : 0)
const finalOf = (block: Block, site: Block['sites'][number]) => block.final?.(site) ?? site.after

export function blockImage({ block: name, offsets, apart, steps, where, claims, late }: BlockUse): MachineImage {
  const block: Block = BLOCKS[name]
  const here = isHere(where)
  const place = (index: number, text: string) => `section .text.${index} ${0x110000 + index * 0x1000 + offsets[index]}\n${text}\nsection .text`
  const caller = callerOf(where)
  const source = caller === 'irq' ? `.irq ${here ? 0 : 1}, 0x40, handler, 1` : caller === 'nmi' ? `.nmi ${here ? 0 : 1}, handler, 1` : ''
  const [enter, exit] = block.around?.(steps) ?? ['', '']
  const between = block.between?.(steps) ?? ''
  const run = caller === 'task' ? '  call code' : '  nop'
  const other = `other:\n${late ? '  invoke xm_online\n' : ''}  sti\n  nop\n${between === '' ? run : `${run}\n${between}\n  sti\n${run}`}\n  block\n  cli\n  ret`
  const said = claims ? block.sites.map((site) => `  patched ${site.label}, ${finalOf(block, site)}`) : []
  const text = `.vcpu patcher
${here ? '' : `.vcpu other\n${syncDeclarations()}`}
.init prepare
${source}
${block.sites.map(({ label, sizeBytes, before, after }) => `.forms ${[label, sizeBytes, before, after, ...(block.others ?? []), ...(block.parts === undefined ? [] : ['int3'])].join(', ')}`).join('\n')}
${block.parts === undefined ? '' : breakpoints(block.parts)}
prepare:
${here ? '' : syncGroup(2, late ? [1] : [])}
${block.alias === true ? '  invoke xm_alias_map' : ''}
${block.init ?? ''}
  ret
patcher:
${block.alias === true ? '  invoke xm_alias_on' : ''}
  sti
  nop
${block.patch(numberOf(steps))}
${said.join('\n')}
${here ? '' : '  kick 1'}
  cli
  ret
${here ? '' : other}
handler: pushad
${enter}
  call code
${exit}
  popad
  iret
${block.more ?? ''}
old: ret
times ${apart} nop
new: ret
${block.code(place)}
section .rodata
${block.forms}
section .data
${block.data ?? ''}`
  return assembleImage(text, { title: name })
}

/** Where each site is, and what may stand there: the steps do not matter. */
const known = new Map<string, Passes['sites']>()
function sitesOf(use: BlockUse): Passes['sites'] {
  const key = JSON.stringify([use.block, use.offsets, use.apart, isHere(use.where)])
  const sites =
    known.get(key) ??
    blockImage(use)
      .sites.toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ address, forms }) => ({ offset: address % 64, forms: forms!.map(({ bytes }) => [...bytes]) }))
  known.set(key, sites)
  return sites
}

export function predictBlock(use: BlockUse, rung: string, { ownStores, smcMatch }: Sees): 'holds' | 'violated' {
  const block: Block = BLOCKS[use.block]
  const sites = sitesOf(use)
  const forms = sites.map((site) => site.forms)
  const same = isHere(use.where)
  const final = block.sites.map((site, k) => forms[k][finalOf(block, site) === site.after ? 1 : 0])
  const passes: Passes = {
    sites, caller: callerOf(use.where), breakpoints: block.parts !== undefined, same,
    ...(block.stopped === true ? { stopped: { sync: use.steps.sync3 } } : {}), ...(use.claims ? { claims: final } : {}),
  } // prettier-ignore
  const seen = same && ownStores === 'seen' && !(block.alias === true && smcMatch === 'linear')
  const plan = block.plan(use.steps, forms, use.where)
  const fresh = block.fresh?.(use.steps, use.where) === true
  const plans = fresh ? [plan] : splits(plan, passes.sites)
  const effective = seen || fresh ? 'coherent' : rung
  return plans.some((plan) => block.sites.some((_, k) => canFail(passes, k, plan, effective))) ? 'violated' : 'holds'
}

/** `undefined`: the search was cut short. */
export function judgeBlock(use: BlockUse, fetch: string, sees: Sees, events = 30_000, engine: Engine = 'dpor'): 'holds' | 'violated' | undefined {
  const block: Block = BLOCKS[use.block]
  // dpor does not handle own stores that are not seen because they went through an alias.
  const able = block.alias === true && sees.ownStores === 'seen' && sees.smcMatch === 'linear' ? 'graph' : engine
  const result = checkImage(blockImage(use), makeModel({ fetch, ...sees }), { engine: able, liveness: 'off', limits: { events } })
  return result.verdict === 'violated' ? 'violated' : result.strength === 'complete' ? 'holds' : undefined
}

const steps = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ sync1: true, sync2: true, sync3: true }) },
  { weight: 3, arbitrary: fc.record({ sync1: fc.boolean(), sync2: fc.boolean(), sync3: fc.boolean() }) },
)
export const anyUse: fc.Arbitrary<BlockUse> = fc.constantFrom(...(Object.keys(BLOCKS) as (keyof typeof BLOCKS)[])).chain((block) =>
  fc.constantFrom<Where>(...BLOCKS[block].where).chain((where) =>
    fc.record({
      block: fc.constant(block),
      where: fc.constant(where),
      offsets: fc.tuple(fc.nat({ max: 63 }), fc.nat({ max: 63 })),
      apart: fc.constantFrom(4, 0x201, 0x8001),
      steps,
      claims: fc.boolean(),
      // NMIs that come before it is online run what nobody made it synchronise with.
      late: isHere(where) || where === 'other nmi' ? fc.constant(false) : fc.boolean(),
    }),
  ),
)
export const anySees: fc.Arbitrary<Sees> = fc.record({ ownStores: fc.constantFrom('seen', 'lag', 'lag'), smcMatch: fc.constantFrom('linear', 'physical') })
