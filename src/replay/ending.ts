/**
 * How an execution ends that violates: the last row of its timeline. The access that violates has often no row of its own, as it is no
 * event, or never became one; and what an assertion compared may be in registers.
 */
import { IMM, MEM, REG, type Op, type Operand } from '../cpu/decode.ts'
import { CR0, CR0_PG, EDX, SEG_BASE } from '../cpu/registers.ts'
import { choiceKind, choiceVcpu, DRAIN, RUN } from '../smp/choice.ts'
import type { MachineEvent } from '../smp/events.ts'
import type { Machine } from '../smp/machine.ts'
import type { Violation } from '../smp/monitor.ts'
import { symbolAt, symbolize } from '../smp/symbols.ts'

/** What stands between a comparison and the assertion that rests on it: it carries the outcome there. */
const CARRIES = /^(mov|movzx|movsx|lea|set\w+|j\w+|push|pop|nop)$/
/** Dwords of a variable that is shown. */
const DWORDS_MAX = 8
/** Bytes of the longest instruction. */
const INSTRUCTION_BYTES = 15

const hex = (value: number) => `0x${(value >>> 0).toString(16)}`

/** Watches an execution for what its violation will be put down to. */
export class Ending {
  readonly #machine: Machine
  /** By vCPU: byte address to what it last read or wrote there. */
  readonly #seen: readonly Map<number, number>[]
  /** By vCPU: byte address to the instruction that last stored there. */
  readonly #storers: readonly Map<number, number>[]
  /** Address of the last store that drained. */
  #drained = 0
  /** By vCPU: what was compared, as long as nothing else came in between. */
  readonly #compared: string[]

  constructor(machine: Machine) {
    this.#machine = machine
    this.#seen = machine.cpus.map(() => new Map<number, number>())
    this.#storers = machine.cpus.map(() => new Map<number, number>())
    this.#compared = machine.cpus.map(() => '')
  }

  observe({ kind, vcpu, address, sizeBytes, value, op }: MachineEvent): void {
    if (kind === 'load' || kind === 'store' || kind === 'locked-load' || kind === 'locked-store')
      for (let b = 0; b < sizeBytes; b++) {
        if (b < 4) this.#seen[vcpu].set((address + b) >>> 0, (value >>> (b * 8)) & 0xff)
        else this.#seen[vcpu].delete((address + b) >>> 0)
      }
    if (kind === 'store') this.#storers[vcpu].set(address >>> 0, this.#machine.eip(vcpu))
    if (kind === 'drain') this.#drained = address >>> 0
    if (kind === 'instruction' && op !== undefined) this.#follow(vcpu, op)
  }

  /**
   * What the row says, and the instruction that it is about.
   * @param choice the last that was taken
   * @param disassemble bytes at an address, as text
   */
  describe({ kind, vcpu, eip }: Violation, choice: number, disassemble: (bytes: Uint8Array, eip: number) => string): { text: string; eip: number } {
    const machine = this.#machine
    const text = `violated: ${kind}`
    const own = machine.violation !== null && machine.running() && choiceVcpu(choice) === vcpu
    if (own && choiceKind(choice) === DRAIN) return { text: `${text} as its store drains`, eip: this.#storers[vcpu].get(this.#drained) ?? eip }
    const inside = machine.running() ? own && choiceKind(choice) === RUN && !machine.sleeps(vcpu) : machine.violation !== null
    if (!inside || machine.hasEnded(vcpu)) return { text, eip }
    if (kind === 'assertion') return { text: [text, this.#whatFailed(vcpu)].filter((part) => part !== '').join('; '), eip }
    const instruction = machine.memory.index(eip) < 0 ? '' : disassemble(machine.executedBytes(vcpu, INSTRUCTION_BYTES), eip)
    // Calls to the checker are NOPs, and have a row of their own.
    return { text: instruction === '' || instruction.startsWith('nop ') ? text : `${text} at ${instruction}`, eip }
  }

  /** The variables that the text of the assertion names, and what was compared last. */
  #whatFailed(vcpu: number): string {
    const { image, cpus } = this.#machine
    const point = image.points.find(({ id }) => id >>> 0 === cpus[vcpu].r[EDX] >>> 0)
    const names = new Set(point?.text.match(/[A-Za-z_]\w*/g))
    const variables = image.symbols.filter((one) => one.kind === 'object' && names.has(one.name))
    const texts = variables.flatMap(({ name, address, sizeBytes }) => {
      const size = sizeBytes === 1 || sizeBytes === 2 ? sizeBytes : 4
      const count = sizeBytes / size
      if (!Number.isInteger(count) || count > DWORDS_MAX || this.#machine.memory.index(address) < 0) return []
      const values = Array.from({ length: count }, (_, k) => this.#inWords(this.#valueOf(vcpu, address + k * size, size)))
      return [`${name} = ${count === 1 ? values[0] : `{${values.join(', ')}}`}`]
    })
    return [...(texts.length === 0 ? [] : [texts.join(', ')]), ...(this.#compared[vcpu] === '' ? [] : [this.#compared[vcpu]])].join('; ')
  }

  #follow(vcpu: number, op: Op): void {
    const name = op.row?.mnemonic ?? ''
    const same = op.a.kind === op.b.kind && op.a.value === op.b.value
    if (CARRIES.test(name) || (name === 'xor' && same)) return
    this.#compared[vcpu] = ''
    if (name !== 'cmp' && name !== 'test') return
    const [a, b] = [this.#operand(vcpu, op, op.a), this.#operand(vcpu, op, op.b)]
    if (a !== null && b !== null) this.#compared[vcpu] = name === 'cmp' ? `${hex(a)} was compared with ${hex(b)}` : `${same ? hex(a) : `${hex(a)} & ${hex(b)}`} was tested`
  }

  /** Neither instruction changes anything but flags. Null: it is not known. */
  #operand(vcpu: number, op: Op, operand: Operand): number | null {
    const cpu = this.#machine.cpus[vcpu]
    if (operand.kind === REG || operand.kind === IMM) return cpu.get(op, operand)
    if (operand.kind !== MEM || operand.size > 4 || (cpu.r[CR0] & CR0_PG) !== 0) return null
    const linear = (cpu.r[SEG_BASE + op.seg] + cpu.address(op)) | 0
    return this.#machine.memory.index(linear) < 0 ? null : this.#valueOf(vcpu, linear, operand.size)
  }

  /** A pointer to something that has a name is given by it. */
  #inWords(value: number): string {
    const { image } = this.#machine
    return symbolAt(image, value) === null ? hex(value) : `${hex(value)} (${symbolize(image, value)})`
  }

  /** What `vcpu` last read or wrote there; what nobody else writes is no event, and as it is in memory. */
  #valueOf(vcpu: number, address: number, sizeBytes: number): number {
    const { memory } = this.#machine
    let value = 0
    for (let b = sizeBytes - 1; b >= 0; b--) {
      const seen = this.#machine.running() ? this.#seen[vcpu].get((address + b) >>> 0) : undefined
      value = (value << 8) | (seen ?? memory.load(memory.index(address + b), 1))
    }
    return value
  }
}
