/** One thread of a litmus test: read, then written as lines of our assembler (src/guest/asm). */
import { implicitRegisters, memoryBytes, readInstruction, registerBytes, usesStack, type Instruction } from './instructions.ts'
import { LitmusError } from './litmusError.ts'
import type { Row } from './parse.ts'
import { allocateRegisters, partName, registerNamed, type RegisterName } from './registers.ts'

export interface Thread {
  readonly number: number
  readonly rows: readonly (Instruction | { readonly label: string; readonly line: number })[]
  /** Labels, to what the assembler calls them. */
  readonly labels: ReadonlyMap<string, string>
  /** Registers of the test that occur, `rax` ..., to where they are on the machine. */
  readonly registers: ReadonlyMap<string, string>
}

/** A line for the assembler, and the test's line that it is from. */
export interface CodeLine {
  readonly text: string
  readonly line: number
}

/** NOPs of one PAD. */
const PAD_MAX = 4096
const SIZE_NAMES: Readonly<Record<number, string>> = { 1: 'byte ', 2: 'word ', 4: 'dword ', 0: '' }

/**
 * @param extra registers that the initial state or the condition name
 * @param handles it has handlers: what is on the stack matters though no instruction pushes
 * @throws LitmusError names the construct and its line
 */
export function readThread(source: readonly Row[], number: number, arch: string, extra: readonly RegisterName[], handles = false): Thread {
  const labels = new Map<string, string>()
  const rows: (Instruction | { readonly label: string; readonly line: number })[] = []
  for (const { text, line, columns } of source) {
    let rest = text
    for (let match = /^([A-Za-z_.][\w.]*)\s*:(?!\w)/.exec(rest); match !== null; match = /^([A-Za-z_.][\w.]*)\s*:(?!\w)/.exec(rest)) {
      if (labels.has(match[1])) throw new LitmusError(line, `the label '${match[1]}' stands twice in P${number}`)
      labels.set(match[1], `P${number}_${labels.size}`)
      rows.push({ label: match[1], line })
      rest = rest.slice(match[0].length).trim()
    }
    if (rest !== '') rows.push(readInstruction(rest, line, arch, columns.slice(text.length - rest.length)))
  }
  const instructions = rows.filter((row) => 'mnemonic' in row)
  const used = new Set<string>()
  const needsByte = new Set<string>()
  const fixed = new Set(instructions.flatMap((one) => implicitRegisters(one)))
  for (const instruction of instructions)
    instruction.operands.forEach((operand, k) => {
      if (operand.kind === 'memory') for (const one of [operand.base, operand.index]) if (one !== null) used.add(one.whole)
      if (operand.kind !== 'register') return
      used.add(operand.name.whole)
      if (registerBytes(instruction, k, operand.name.sizeBytes) === 1) needsByte.add(operand.name.whole)
    })
  for (const { whole } of extra) used.add(whole)
  for (const whole of fixed) used.add(whole)
  const registers = allocateRegisters({ used, needsByte, fixed, stack: handles || instructions.some(usesStack) }, source[0]?.line ?? 0)
  return { number, rows, labels, registers }
}

/** Names of variables that the code has. */
export function variablesOf({ rows, labels }: Thread): Set<string> {
  const names = new Set<string>()
  for (const row of rows)
    if ('mnemonic' in row)
      for (const operand of row.operands)
        for (const { name } of operand.kind === 'memory' ? termsOf(operand.offset) : operand.kind === 'immediate' ? termsOf(operand.text) : [])
          if (name !== null && !name.includes(':') && !labels.has(name)) names.add(name)
  return names
}

/** Symbols and numbers of `x+4`. */
function termsOf(text: string): { name: string | null; text: string }[] {
  return text.replace(/-/g, '+-').split('+').map((term) => term.trim().replace(/^-\s+/, '-')).filter((term) => term !== '' && term !== '0')
    .map((term) => (/^-?(?:0x[\da-f]+|\d+)$/i.test(term) ? { name: null, text: term } : { name: term, text: term }))
}

/** Line of an access that narrowing to 32 bits would change: to bytes 4 to 7 of what is accessed with 64; 0: there is none. */
export function upperHalfLine(threads: readonly Thread[]): number {
  const wide = new Set<string>()
  const upper: { readonly symbol: string; readonly line: number }[] = []
  for (const { rows } of threads)
    for (const row of rows) {
      if (!('mnemonic' in row) || row.mnemonic === 'lea') continue
      for (const operand of row.operands) {
        if (operand.kind !== 'memory') continue
        const terms = termsOf(operand.offset)
        // Through a register it may be anything.
        const symbol = operand.base === null && operand.index === null ? (terms.find(({ name }) => name !== null)?.name ?? '') : ''
        if (row.wide) wide.add(symbol)
        if (terms.some(({ name, text }) => name === null && (Number(text) & 4) !== 0)) upper.push({ symbol, line: row.line })
      }
    }
  return upper.find(({ symbol }) => wide.has(symbol) || (wide.size > 0 && (symbol === '' || wide.has(''))))?.line ?? 0
}

export interface Surroundings {
  readonly threads: readonly Thread[]
  /** Addresses of variables. */
  readonly addresses: ReadonlyMap<string, number>
}

export interface Written {
  readonly lines: readonly CodeLine[]
  /** It has addresses of code: of its own, or of other threads. */
  readonly codeAddresses: 'none' | 'own' | 'foreign'
}

export function writeThread(thread: Thread, { threads, addresses }: Surroundings): Written {
  let codeAddresses: Written['codeAddresses'] = 'none'
  const symbol = (text: string, line: number): string => {
    const code = /^P(\d+):(.+)$/.exec(text)
    const owner = code === null ? (thread.labels.has(text) ? thread : null) : threads[Number(code[1])]
    if (owner === null) return String(addresses.get(text)!)
    const label = owner?.labels.get(code === null ? text : code[2])
    if (label === undefined) throw new LitmusError(line, `'${text.slice(0, 60)}' is no place in the code`)
    if (owner !== thread) codeAddresses = 'foreign'
    else if (codeAddresses === 'none') codeAddresses = 'own'
    return label
  }
  const sum = (text: string, line: number) => termsOf(text).map(({ name, text: number }) => (name === null ? number : symbol(name, line))).join(' + ')
  const place = (name: RegisterName) => thread.registers.get(name.whole)!
  const written = (instruction: Instruction): string => {
    const { prefix, mnemonic, operands, line } = instruction
    if (mnemonic === 'lea' && operands[0].kind !== 'register') throw new LitmusError(line, 'LEA needs a register')
    if (prefix === 'lock' && !operands.some((one) => one.kind === 'memory')) throw new LitmusError(line, `unsupported: LOCK ${mnemonic.toUpperCase()} without a memory operand raises #UD`)
    const texts = operands.map((operand, k) => {
      switch (operand.kind) {
        case 'register':
          return partName(place(operand.name), registerBytes(instruction, k, operand.name.sizeBytes), operand.name.high)
        case 'system':
          return operand.text
        case 'immediate':
          return sum(operand.text, line) || '0'
        case 'label': {
          const label = thread.labels.get(operand.text)
          if (label === undefined) throw new LitmusError(line, `jump to '${operand.text.slice(0, 40)}', which is no label of P${thread.number}`)
          return label
        }
        case 'memory': {
          const terms = [
            ...(operand.base === null ? [] : [place(operand.base)]),
            ...(operand.index === null ? [] : [`${place(operand.index)}*${operand.scale}`]),
            ...(operand.offset === '0' ? [] : [sum(operand.offset, line)]),
          ]
          return `${SIZE_NAMES[memoryBytes(instruction)]}[${terms.join(' + ') || '0'}]`
        }
      }
    })
    return ownInstruction(mnemonic, texts, line) ?? `${prefix}${prefix === '' ? '' : ' '}${mnemonic}${texts.length > 0 ? ` ${texts.join(', ')}` : ''}`
  }
  let resumes = 0
  /** What stands for one of our own instructions; null: it is the machine's. */
  const ownInstruction = (mnemonic: string, texts: readonly string[], line: number): string | null => {
    switch (mnemonic) {
      case 'ipi':
      case 'nmi':
      case 'kick':
        // The calls take their operands in EAX and EDX.
        return `push eax\npush edx\n${mnemonic} ${texts.join(', ')}\npop edx\npop eax`
      case 'block':
        return 'push eax\nblock\npop eax'
      case 'align':
        if (!/^(?:1|2|4|8|16|32|64)$/.test(texts[0])) throw new LitmusError(line, `ALIGN ${texts[0]}: 1, 2, 4, 8, 16, 32 or 64; threads begin at multiples of 64`)
        return `align ${texts[0]}`
      case 'pad':
        if (!(Number(texts[0]) >= 0 && Number(texts[0]) <= PAD_MAX)) throw new LitmusError(line, `PAD ${texts[0]}: 0 to ${PAD_MAX} bytes`)
        return `times ${texts[0]} nop`
      case 'desched': {
        // Off the processor and back: whatever puts it back ends in an IRET, which waits for its stores and serialises.
        codeAddresses = codeAddresses === 'foreign' ? 'foreign' : 'own'
        const label = `P${thread.number}_resume${resumes++}`
        return `pushf\npush cs\npush ${label}\niret\n${label}:`
      }
      default:
        return null
    }
  }
  const lines = thread.rows.flatMap((row): CodeLine[] =>
    ('mnemonic' in row ? written(row) : `${thread.labels.get(row.label)!}:`).split('\n').map((text) => ({ text, line: row.line })),
  )
  return { lines: [...lines, { text: 'ret', line: 0 }], codeAddresses }
}

/** Registers that the places `0:rax` name, of one thread. */
export function registersNamed(places: Iterable<string>, thread: number): RegisterName[] {
  return [...places].filter((place) => place.startsWith(`${thread}:`)).map((place) => registerNamed(place.slice(place.indexOf(':') + 1))!)
}
