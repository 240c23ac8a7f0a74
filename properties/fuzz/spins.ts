/** Random programs in which a vCPU looks for something a bounded number of times, or does what only looks like it; and what they come to. */
import { countClasses } from '../../src/explore/classes.ts'
import { DporSearch } from '../../src/explore/dpor/search.ts'
import { assembleImage } from '../../src/index.ts'
import { Machine } from '../../src/smp/machine.ts'
import { PageMap } from '../../src/smp/memory.ts'
import { makeModel } from '../../src/smp/model.ts'
import { Sharing } from '../../src/smp/sharing.ts'
import { behaviourOf } from './reference.ts'

/** A number below the bound. */
export type Draw = (below: number) => number

const WORDS = ['x', 'y', 'z', 'g', 'h', 'r1', 'r2']
const STATES_MAX = 8000
const CLASS_STATES_MAX = 20_000
const EVENTS_MAX = 200_000
const OPPOSITE: Readonly<Record<string, string>> = { jnz: 'jz', jne: 'je', jl: 'jge', jb: 'jae', ja: 'jbe', jg: 'jle' }

export function spinProgram(draw: Draw): string {
  const pick = <T>(list: readonly T[]): T => list[draw(list.length)]
  const cell = () => `[${pick(['x', 'x', 'y', 'z'])}]`
  const turns = 9 + draw(4)
  const counter = pick(['ecx', 'esi'])
  const seen = pick(['eax', 'ebx'])
  const other = pick(['edx', 'edi'])
  const found = () => pick(['jnz .hit', 'jz .hit', 'jnz .hit'])

  const look = (number: number): string[] => {
    switch (draw(9)) {
      case 0:
      case 1:
      case 2:
        return [`mov ${seen}, ${cell()}`, `test ${seen}, ${seen}`, found()]
      case 3:
        return [`cmp dword ${cell()}, ${draw(3)}`, pick(['jne .hit', 'je .hit', 'ja .hit'])]
      case 4:
        return [`mov ${seen}, ${1 + draw(2)}`, `xchg ${cell()}, ${seen}`, `test ${seen}, ${seen}`, pick(['jz .hit', 'jz .hit', 'nop'])]
      case 5:
        return [`mov eax, ${draw(2)}`, `mov ebx, ${1 + draw(2)}`, `lock cmpxchg ${cell()}, ebx`, pick(['je .hit', 'jz .hit', 'nop'])]
      case 6:
        return [`mov ${seen}, ${cell()}`, `cmp ${seen}, ${cell()}`, pick(['jne .hit', 'je .hit'])]
      case 7:
        return [`mov ${seen}, ${cell()}`, pick([`add ${other}, ${seen}`, `mov ${other}, ${seen}`, `and ${seen}, 1`, `or ${other}, ${seen}`]), `test ${seen}, ${seen}`, pick(['jnz .hit', 'nop'])]
      default:
        return [`cmp dword ${cell()}, 0`, `jz .skip${number}`, pick([`inc ${other}`, `mov ${other}, 1`, `mov ${seen}, 1`, 'pause', `cmp dword ${cell()}, 1`]), `.skip${number}:`]
    }
  }
  const by = pick([
    { init: [`mov ${counter}, ${turns}`], step: [`dec ${counter}`, 'jnz .again'] },
    { init: [`xor ${counter}, ${counter}`], step: [`inc ${counter}`, `cmp ${counter}, ${turns}`, pick(['jne .again', 'jl .again', 'jb .again'])] },
    { init: [`mov ${counter}, ${turns * 2}`], step: [`sub ${counter}, 2`, pick(['jnz .again', 'ja .again', 'jg .again'])] },
    { init: [`xor ${counter}, ${counter}`, `mov ebp, ${turns}`], step: [`add ${counter}, 1`, `cmp ${counter}, ${pick([String(turns), '[z]', 'ebp'])}`, 'jl .again'] },
  ])
  const body = look(0)
  if (draw(3) === 0) body.push(...look(1))
  const odd = ['pause', 'nop', `inc ${other}`, `mov ${other}, 7`, `xor ${other}, ${other}`, `cmp ${counter}, 3`, `mov ${other}, ${counter}`, `lea ${other}, [${counter}+1]`, 'setz dl', `mov [z], ${other}`, 'push eax', `and ${counter}, 15`]
  if (draw(3) === 0) {
    const one = pick(odd)
    body.push(one, ...(one === 'push eax' ? ['pop eax'] : []))
  }
  if (draw(5) > 0) body.push(...by.step)
  else {
    // The step comes first.
    const jump = by.step.at(-1)!.replace(/^\w+/, (name) => OPPOSITE[name]).replace('.again', '.giveup')
    body.unshift(...by.step.slice(0, -1), jump)
    body.push('jmp .again')
  }
  const after = (word: string): string[] => {
    switch (draw(7)) {
      case 0:
        return [`mov [${word}], ${counter}`]
      case 1:
        return [`mov [${word}], ${other}`]
      case 2:
        return [`mov [${word}], ${seen}`]
      case 3:
        return [`cmp ${counter}, ${pick([0, turns, turns - 1, 3])}`, pick(['setle al', 'sete al', 'setb al', 'setg al']), `mov [${word}], al`]
      case 4:
        return [`mov eax, ${cell()}`, `mov [${word}], eax`]
      default:
        return [`mov dword [${word}], ${draw(3) + 1}`]
    }
  }
  const init = [...(draw(4) === 0 ? [`mov dword ${cell()}, 1`] : []), ...(draw(3) === 0 ? [`mov ${other}, ${draw(3)}`] : []), ...by.init]
  const lines = ['p0:', ...init, '.again:', ...body, '.giveup:', ...after('g'), ...(draw(4) === 0 ? [] : ['ret']), '.hit:', ...after('h'), 'ret']
  const vcpus = draw(4) === 0 ? 3 : 2
  for (let v = 1; v < vcpus; v++) {
    lines.push(`p${v}:`)
    for (let left = 1 + draw(vcpus === 3 ? 2 : 3); left > 0; left--)
      switch (draw(5)) {
        case 0:
          lines.push(`mov eax, ${draw(3)}`, `xchg ${cell()}, eax`, `mov [r${v}], eax`)
          break
        case 1:
          lines.push(`lock inc dword ${cell()}`)
          break
        case 2:
          lines.push(`mov eax, ${cell()}`, `mov [r${v}], eax`)
          break
        default:
          lines.push(`mov dword ${cell()}, ${draw(3)}`)
      }
    lines.push('ret')
  }
  const heads = Array.from({ length: vcpus }, (_, v) => `.vcpu p${v}`)
  const data = WORDS.map((word) => `${word}: dd ${word === 'x' || word === 'y' ? draw(2) : 0}`)
  return [...heads, ...lines.map((line) => (line.endsWith(':') ? line : ` ${line}`)), 'section .data', 'align 4', 'words:', ...data, ''].join('\n')
}

export interface SpinOutcome {
  readonly problems: readonly string[]
  /** Turns of its loop were taken at once. */
  readonly spun: boolean
  /** States without, and with that. */
  readonly states: readonly [number, number]
}

/** Null: there are too many states. */
export function compareSpins(text: string, memory: 'sc' | 'tso'): SpinOutcome | null {
  const image = assembleImage(text, { title: 'generated' })
  const model = makeModel({ memory })
  const words = image.symbols.find((symbol) => symbol.name === 'words')!.address
  const endOf = (machine: Machine) => {
    const at = machine.memory.index(words)
    return machine.memory.u8.subarray(at, at + WORDS.length * 4).join()
  }
  const machines = (spins: boolean) => {
    const pages = new PageMap(image.regions)
    const sharing = new Sharing(pages.sizeBytes / 4, image.vcpus.length)
    return { sharing, make: () => new Machine(image, model, { sharing, pages, spins }) }
  }
  const plain = behaviourOf(machines(false).make, endOf, STATES_MAX)
  const fast = machines(true)
  const behaviour = plain && behaviourOf(fast.make, endOf, STATES_MAX)
  if (plain === null || behaviour === null) return null
  const problems: string[] = []
  const same = (who: string, ends: ReadonlySet<string>) => {
    const missing = [...plain.ends].filter((one) => !ends.has(one)).length
    const added = [...ends].filter((one) => !plain.ends.has(one)).length
    if (missing + added > 0) problems.push(`${who}: of ${plain.ends.size} final states ${missing} are missing, ${added} are none`)
  }
  same('states', behaviour.ends)
  if (behaviour.stuck !== plain.stuck) problems.push(`it ${plain.stuck ? 'can' : 'cannot'} get stuck`)
  const spun = [...fast.sharing.spins.values()].some((counters) => counters > 0)
  if (spun && !plain.stuck) {
    const ends = new Set<string>()
    const { make } = machines(true)
    let machine: Machine | null = null
    const search = new DporSearch(
      () => {
        ends.clear()
        return (machine = make())
      },
      { events: EVENTS_MAX, onEnd: (how) => void (how === 'complete' && ends.add(endOf(machine!))) },
    )
    while (search.advance());
    if (search.verdict().verdict === 'holds') {
      same('dpor', ends)
      const { complete } = search.counts()
      const counted = countClasses(machines(true).make, { states: CLASS_STATES_MAX }, () => {}, () => {})
      if (counted.exhausted && !counted.spins && complete < counted.classes) problems.push(`dpor: ${complete} executions of ${counted.classes} classes`)
    }
  }
  return { problems, spun, states: [plain.states, behaviour.states] }
}
