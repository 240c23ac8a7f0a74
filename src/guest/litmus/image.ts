/** From a litmus test to a machine image, and to what its final states are. */
import type { MachineImage } from '../../smp/image.ts'
import { FinalStates } from './finalState.ts'
import { placesOf } from './formula.ts'
import { addressesOf, link } from './link.ts'
import { LitmusError } from './litmusError.ts'
import { PAGING_SYMBOL, type Variable } from './initialState.ts'
import type { LitmusTest } from './parse.ts'
import { displayName } from './registers.ts'
import { readThread, registersNamed, upperHalfLine, variablesOf, type Thread } from './thread.ts'

export interface LitmusImage {
  readonly test: LitmusTest
  readonly image: MachineImage
  readonly finals: FinalStates
  /** What herd shows: places that the condition and `locations` name. */
  readonly observables: readonly string[]
  /** Variables that several threads name, with the numbers of the threads: shared as soon as the first of them runs. */
  readonly shared: readonly { readonly address: number; readonly sizeBytes: number; readonly threads: readonly number[] }[]
}

/** @throws LitmusError */
export function litmusImage(test: LitmusTest): LitmusImage {
  const shown = [...placesOf(test.condition), ...test.locations]
  const named = test.filter === null ? shown : [...shown, ...placesOf(test.filter)]
  const threads = test.threads.map((rows, k) => readThread(rows, k, test.arch, registersNamed([...test.registers.keys(), ...named], k), test.handlers.length > 0))
  const upperHalf = upperHalfLine(threads)
  if (upperHalf > 0) throw new LitmusError(upperHalf, 'unsupported: an access that may be to the upper half of a 64-bit one; tests are run narrowed to 32')
  const variables = allVariables(test, threads, named)
  const paged = pagingSymbols(test, threads)
  const addresses = addressesOf(variables.values(), paged)
  const { image, labels } = link(test, threads, variables, addresses, paged.length > 0)
  const finals = new FinalStates(
    threads.flatMap(({ registers }, vcpu) => [...registers].map(([whole, physical]) => ({ place: `${vcpu}:${displayName(whole, test.arch)}`, vcpu, physical }))),
    new Map([...variables].map(([name, variable]) => [name, { ...variable, address: addresses.get(name)! }])),
    labels,
  )
  finals.check(named)
  return { test, image, finals, observables: finals.observables(shown), shared: sharedVariables(threads, variables, addresses) }
}

function sharedVariables(threads: readonly Thread[], variables: ReadonlyMap<string, Variable>, addresses: ReadonlyMap<string, number>): LitmusImage['shared'] {
  const naming = threads.map((thread) => variablesOf(thread))
  return [...variables.values()]
    .map(({ name, sizeBytes, count }) => ({ address: addresses.get(name)!, sizeBytes: sizeBytes * count, threads: threads.flatMap((_, k) => (naming[k].has(name) ? [k] : [])) }))
    .filter(({ threads: several }) => several.length > 1)
}

/** Names of page-table entries and physical addresses that the test has. */
function pagingSymbols(test: LitmusTest, threads: readonly Thread[]): string[] {
  const values = [...test.variables.values()].flatMap(({ values: several }) => several).concat([...test.registers.values()].map(({ value }) => value))
  const names = [...test.variables.keys(), ...values.map((value) => value.replace(/\s*\+.*$/, '')), ...threads.flatMap((thread) => [...variablesOf(thread)])]
  return [...new Set(names)].filter((name) => PAGING_SYMBOL.test(name))
}

const isVariable = (value: string) => /^[A-Za-z_.$][\w.$]*$/.test(value)

function allVariables(test: LitmusTest, threads: readonly Thread[], named: readonly string[]): Map<string, Variable> {
  const names = [
    ...pagingSymbols(test, threads).map((name) => PAGING_SYMBOL.exec(name)![2]),
    ...threads.flatMap((thread) => [...variablesOf(thread)]),
    ...named.filter((place) => !place.includes(':')).map((place) => place.replace(/\[\d+\]$/, '')),
    ...[...test.registers.values()].map(({ value }) => value).filter(isVariable),
    ...[...test.variables.values()].flatMap(({ values }) => values).filter(isVariable),
  ]
  const variables = new Map([...test.variables].filter(([name]) => !PAGING_SYMBOL.test(name)))
  for (const name of names) if (!PAGING_SYMBOL.test(name) && !variables.has(name)) variables.set(name, { name, sizeBytes: 4, count: 1, signed: true, values: [], line: 0 })
  // By name, so that tests over the same variables have the same addresses.
  return new Map([...variables].sort(([a], [b]) => (a < b ? -1 : 1)))
}
