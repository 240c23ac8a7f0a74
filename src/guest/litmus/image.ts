/** From a litmus test to a machine image, and from a machine at the end of a run to the test's final state. */
import { assembleImage } from '../asm/index.ts'
import { InputError } from '../inputError.ts'
import type { MachineImage } from '../../smp/image.ts'
import { FinalStates } from './finalState.ts'
import { placesOf } from './formula.ts'
import { LitmusError } from './litmusError.ts'
import type { LitmusTest, Variable } from './parse.ts'
import { displayName, registerNamed, type RegisterName } from './registers.ts'
import { checked, labelName, translateThread, variableName, type ThreadCode } from './translate.ts'

/** Where variables are: an address that no value of a test is likely to be. */
const DATA_START = 0x6d5a_4000
const LINE_BYTES = 64

export interface LitmusImage {
  readonly test: LitmusTest
  readonly image: MachineImage
  readonly finals: FinalStates
  /** What herd shows: places that the condition and `locations` name. */
  readonly observables: readonly string[]
}

/** @throws LitmusError */
export function litmusImage(test: LitmusTest): LitmusImage {
  const named = [...placesOf(test.condition), ...(test.filter === null ? [] : placesOf(test.filter)), ...test.locations]
  const extra = (thread: number): RegisterName[] =>
    [...test.registers.keys(), ...named].filter((place) => place.startsWith(`${thread}:`)).map((place) => registerNamed(place.slice(place.indexOf(':') + 1))!)
  const threads = test.threads.map((rows, k) => translateThread(rows, k, test.arch, extra(k)))
  const upperHalf = threads.find((thread) => thread.upperHalfLine !== null)
  if (upperHalf !== undefined && threads.some((thread) => thread.wide))
    throw new LitmusError(upperHalf.upperHalfLine!, 'unsupported: an access that may be to the upper half of a 64-bit one; tests are run narrowed to 32')
  const variables = allVariables(test, threads, named)
  const image = link(test, threads, variables)
  const addresses = new Map(image.symbols.map(({ name, address }) => [name, address >>> 0]))
  const finals = new FinalStates(
    threads.flatMap(({ registers }, vcpu) => [...registers].map(([whole, physical]) => ({ place: `${vcpu}:${displayName(whole, test.arch)}`, vcpu, physical }))),
    new Map([...variables].map(([name, variable]) => [name, { ...variable, address: addresses.get(variableName(name))! }])),
    new Map(threads.flatMap(({ labels }, thread) => [...labels].map((label) => [`P${thread}:${label}`, addresses.get(labelName(thread, label))!] as const))),
  )
  finals.check(named)
  return { test, image, finals, observables: finals.observables([...placesOf(test.condition), ...test.locations]) }
}

function allVariables(test: LitmusTest, threads: readonly ThreadCode[], named: readonly string[]): Map<string, Variable> {
  const variables = new Map(test.variables)
  const add = (name: string) => {
    if (!variables.has(name)) variables.set(name, { name, sizeBytes: 4, count: 1, signed: true, values: [], line: 0 })
  }
  for (const { variables: used } of threads) for (const name of used) add(name)
  for (const place of named) if (!place.includes(':')) add(place.replace(/\[\d+\]$/, ''))
  const isSymbol = (value: string) => /^[A-Za-z_]\w*$/.test(value)
  for (const { value } of test.registers.values()) if (isSymbol(value)) add(value)
  for (const variable of [...variables.values()]) for (const value of variable.values) if (isSymbol(value)) add(value)
  return variables
}

function link(test: LitmusTest, threads: readonly ThreadCode[], variables: ReadonlyMap<string, Variable>): MachineImage {
  const value = (text: string, line: number) => {
    const label = /^P(\d+):(\w+)$/.exec(text)
    if (label !== null) return `P${label[1]}_${label[2]}`
    if (variables.has(text)) return variableName(text)
    const element = /^([A-Za-z_.$][\w.$]*)(?:\[(\d+)\]|\s*\+\s*(\d+))$/.exec(text)
    const array = element === null ? undefined : variables.get(element[1])
    if (element !== null && array !== undefined) return `${variableName(element[1])}+${element[2] === undefined ? element[3] : Number(element[2]) * array.sizeBytes}`
    return checked(text, line)
  }
  const code = threads.map(({ lines, registers }, k) => {
    const loads = [...test.registers]
      .filter(([place]) => place.startsWith(`${k}:`))
      .map(([place, init]) => `    mov ${registers.get(registerNamed(place.slice(place.indexOf(':') + 1))!.whole)}, ${value(init.value, init.line)}`)
    return [`thread_P${k}:`, ...loads, ...lines, '    ret'].join('\n')
  })
  const sizes: Readonly<Record<number, string>> = { 1: 'db', 2: 'dw', 4: 'dd', 8: 'dd' }
  const data = [...variables.values()].map((variable) => {
    const elements = Array.from({ length: variable.count }, (_, k) => {
      const text = value(variable.values[k] ?? '0', variable.line)
      return variable.sizeBytes === 8 ? `${text}, ${text.startsWith('-') ? -1 : 0}` : text
    })
    return `align ${LINE_BYTES}\n${variableName(variable.name)}: ${sizes[variable.sizeBytes]} ${elements.join(', ')}`
  })
  const source = [
    ...threads.map((_, k) => `.vcpu thread_P${k}`), ...code, `section .data 0x${DATA_START.toString(16)} rw`, `dd 0`, ...data, `align ${LINE_BYTES}`, 'dd 0',
  ].join('\n')
  try {
    return assembleImage(source, { title: test.name })
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    throw new LitmusError(0, `unsupported: ${error.what.replace(/^line \d+, column \d+: /, '').split('\n')[0]}`)
  }
}
