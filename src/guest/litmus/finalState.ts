/** Final states of a litmus test: what is read of a machine that has ended, and how herd writes it (lib/constrGen.ml, herd/archExtra_herd.ml). */
import { evaluate, type Atom, type Formula } from './formula.ts'
import { LitmusError } from './litmusError.ts'
import type { Variable } from './initialState.ts'
import { registerRank } from './registers.ts'

/** What can be read of a machine that has ended. */
export interface FinalView {
  /** Value of a 32-bit register of a vCPU. */
  register(vcpu: number, name: string): number
  /** 1 to 4 bytes of memory, zero-extended. */
  memory(address: number, sizeBytes: number): number
}

/** Values of places, `0:rax`, `x`, `t[1]`, as written: signed decimal, or the name of what stands at an address. */
export type FinalState = ReadonlyMap<string, string>

export interface PlacedVariable extends Variable {
  readonly address: number
}

/** A register of the test: its spelling (`0:rax`), the vCPU, and the register of the machine that holds it. */
export interface PlacedRegister {
  readonly place: string
  readonly vcpu: number
  readonly physical: string
}

export class FinalStates {
  /** All places, sorted. */
  readonly places: readonly string[]
  readonly #readers = new Map<string, (view: FinalView) => string>()
  readonly #variables: ReadonlyMap<string, PlacedVariable>
  readonly #named: Map<number, string>
  readonly #numbers = new Map<string, number | null>()

  /** @param labels places in code, `P1:l`, to their addresses */
  constructor(registers: readonly PlacedRegister[], variables: ReadonlyMap<string, PlacedVariable>, labels: ReadonlyMap<string, number>) {
    this.#variables = variables
    this.#named = new Map([...labels].map(([name, address]) => [address | 0, name]))
    // Elements, and the end: a pointer that has run through an array stands there.
    for (const { name, address, sizeBytes, count } of variables.values())
      if (count > 1) for (let k = 1; k <= count; k++) this.#named.set((address + k * sizeBytes) | 0, `${name}+${k * sizeBytes}`)
    for (const { name, address } of variables.values()) this.#named.set(address | 0, name)
    for (const [name, address] of [...labels, ...[...variables.values()].map(({ name, address }) => [name, address] as const)]) this.#numbers.set(name, address | 0)
    for (const { place, vcpu, physical } of registers) this.#readers.set(place, (view) => this.#show(view.register(vcpu, physical)))
    for (const variable of variables.values())
      for (let k = 0; k < variable.count; k++) {
        const address = variable.address + k * variable.sizeBytes
        this.#readers.set(variable.count === 1 ? variable.name : `${variable.name}[${k}]`, (view) => this.#readVariable(view, address, variable))
      }
    this.places = [...this.#readers.keys()].sort()
  }

  read(view: FinalView): FinalState {
    return new Map(this.places.map((place) => [place, this.#readers.get(place)!(view)]))
  }

  satisfies(formula: Formula, state: FinalState): boolean {
    return evaluate(formula, (atom) => {
      if (atom.kind === 'equal') return this.#same(state.get(this.#element(atom.place))!, atom.places ? state.get(this.#element(atom.other))! : atom.other)
      const { count } = this.#variables.get(atom.place)!
      return count === atom.values.length && atom.values.every((value, k) => this.#same(state.get(this.#element(`${atom.place}[${k}]`))!, value))
    })
  }

  /** @throws LitmusError where a formula or a list of locations names what is not there */
  check(places: readonly string[]): void {
    for (const place of places) if (!this.#readers.has(this.#element(place))) throw new LitmusError(0, `the condition names ${place}, which the test does not have`)
  }

  /** What herd shows of a state, in herd's order: registers by thread, variables by name, elements of arrays. */
  observables(named: readonly string[]): string[] {
    const rank = (place: string) => {
      const [, thread, register] = /^(\d+):(.+)$/.exec(place) ?? []
      return thread === undefined ? [this.#isElement(place) ? 2 : 1, 0, 0] : [0, Number(thread), registerRank(register)]
    }
    return [...new Set(named)].sort((a, b) => {
      const [left, right] = [rank(a), rank(b)]
      const k = left.findIndex((value, i) => value !== right[i])
      return k >= 0 ? left[k] - right[k] : a < b ? -1 : a > b ? 1 : 0
    })
  }

  /** `0:EAX=1; [x]=2; t={1,2};` */
  format(state: FinalState, observables: readonly string[]): string {
    return observables.map((place) => `${this.#bracketed(place)}=${this.#valueOf(state, place).join(',').replace(/^.*,.*$/, '{$&}')};`).join(' ')
  }

  /** herd's order of states: by the values of the observables in turn. */
  compare(a: FinalState, b: FinalState, observables: readonly string[]): number {
    for (const place of observables) {
      const [left, right] = [this.#valueOf(a, place), this.#valueOf(b, place)]
      for (let k = 0; k < left.length; k++) if (left[k] !== right[k]) return compareValues(left[k], right[k])
    }
    return 0
  }

  formatAtom(atom: Atom): string {
    const left = this.#bracketed(atom.place)
    if (atom.kind === 'elements') return `${left}={${atom.values.map((value) => this.#spell(value)).join(',')}}`
    return `${left}=${atom.places ? this.#bracketed(atom.other) : this.#spell(atom.other)}`
  }

  #valueOf(state: FinalState, place: string): string[] {
    const variable = this.#variables.get(place)
    if (variable === undefined || variable.count === 1) return [state.get(this.#element(place))!]
    return Array.from({ length: variable.count }, (_, k) => state.get(`${place}[${k}]`)!)
  }

  #isElement = (place: string) => place.endsWith(']')
  #bracketed = (place: string) => (/[:\]]/.test(place) || (this.#variables.get(place)?.count ?? 1) > 1 ? place : `[${place}]`)

  /** A whole array stands for its first element, and a variable for an array of one. */
  #element(place: string): string {
    if (this.#readers.has(place)) return place
    if (this.#readers.has(`${place}[0]`)) return `${place}[0]`
    return place.endsWith('[0]') && this.#readers.has(place.slice(0, -3)) ? place.slice(0, -3) : place
  }

  #show(value: number): string {
    return this.#named.get(value | 0) ?? String(value | 0)
  }

  #readVariable(view: FinalView, address: number, { sizeBytes, signed }: Variable): string {
    const bytes = Math.min(sizeBytes, 4)
    const raw = view.memory(address, bytes)
    if (bytes === 4) return this.#named.get(raw | 0) ?? String(signed ? raw | 0 : raw >>> 0)
    const shift = 32 - bytes * 8
    return String(signed ? (raw << shift) >> shift : raw)
  }

  /** As 32-bit numbers, however either is written. */
  #same(value: string, other: string): boolean {
    if (value === other) return true
    const number = this.#number(other)
    return number !== null && number === this.#number(value)
  }

  /** Of `7`, `-1`, `0xff`, `x`, `t[1]`, `t+4`, `P1:l`; null: it is none of them. */
  #number(text: string): number | null {
    const known = this.#numbers.get(text)
    if (known !== undefined) return known
    let number: number | null = Number(text)
    if (!Number.isInteger(number)) {
      const [, name, index, offset] = /^(.+?)(?:\[(\d+)\]|\+(\d+))$/.exec(text) ?? []
      const variable = this.#variables.get(name)
      number = variable === undefined ? null : variable.address + (index === undefined ? Number(offset) : Number(index) * variable.sizeBytes)
    }
    if (number !== null) number |= 0
    this.#numbers.set(text, number)
    return number
  }

  #spell(value: string): string {
    const number = Number(value)
    return Number.isInteger(number) ? String(number) : value
  }
}

/** Numbers before names. */
function compareValues(a: string, b: string): number {
  const [left, right] = [Number(a), Number(b)]
  if (Number.isNaN(left) !== Number.isNaN(right)) return Number.isNaN(left) ? 1 : -1
  if (Number.isNaN(left)) return a < b ? -1 : 1
  return left - right
}
