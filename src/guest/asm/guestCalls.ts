/**
 * Calls to the checker as instructions: `kick 1` becomes `mov eax, 1` and `nop dword [eax + 0x584D000D]`.
 * What each expects in EAX and EDX stands in smp/guestCalls.ts; here stands how it is written.
 */
import { GUEST_CALL_TAG, GUEST_CALLS } from '../../smp/guestCalls.ts'
import type { CheckPoint, CheckPointKind } from '../../smp/image.ts'
import { operand } from './parseOperand.ts'
import { mistake, type Problems } from './problems.ts'
import { registerNamed } from './registerNames.ts'
import type { Body, Expression, Operand, Statement } from './syntax.ts'

type CallName = keyof typeof GUEST_CALLS

interface CallSyntax {
  /** Operands that go to EAX, then EDX. Any number of them may be left out: the registers hold them already. */
  readonly values: readonly string[]
  /** Its EDX names a check point of this kind; a text may follow the values. */
  readonly point: CheckPointKind | null
  /** Its EDX is the address of a text. */
  readonly logs: boolean
}

function call(values: string, point: CheckPointKind | null = null, logs = false): CallSyntax {
  return { values: values === '' ? [] : values.split(', '), point, logs }
}

/** How every call is written. A test holds docs/assembly.md against it. */
export const CALL_SYNTAX: Readonly<Record<CallName, CallSyntax>> = {
  exit: call(''),
  assert: call('condition', 'assert'),
  assume: call('condition', 'assume'),
  choose: call('ways', 'choose'),
  ipi: call('vcpu, vector'),
  nmi: call('vcpu'),
  progress: call('', 'progress'),
  reach: call('', 'reach'),
  enter: call('object'),
  leave: call('object'),
  free: call('address, size'),
  alloc: call('address, size'),
  block: call(''),
  kick: call('vcpu'),
  vcpu: call(''),
  log: call('value', null, true),
  patched: call('site, bytes'),
  poll: call('address'),
  unmapped: call('address, size'),
  mapped: call('address, size'),
  arrive: call('object'),
  queued: call('object'),
  release: call('object, size'),
  halt: call(''),
  building: call('address, size'),
  built: call('address, size'),
  yield: call(''),
  pending: call('address, size'),
  settled: call('address, size'),
  lent: call('address, size'),
  unfilled: call('address, size'),
  modeon: call('name, which'),
  modeoff: call('name, which'),
}

/** Calls whose names are instructions too, with the number of operands that these have. */
const ALSO_INSTRUCTIONS: ReadonlyMap<string, number> = new Map([
  ['enter', 2],
  ['leave', 0],
])

export interface Lowered {
  readonly statements: readonly Statement[]
  readonly points: readonly CheckPoint[]
}

/** Replaces calls by instructions, and puts their texts into a section of their own. */
export function lowerGuestCalls(statements: readonly Statement[], file: string, problems: Problems): Lowered {
  const lowered: Statement[] = []
  const texts: Statement[] = []
  const points: CheckPoint[] = []
  for (const statement of statements) {
    problems.attempt(statement.line, statement.column, () => {
      const name = callName(statement.body)
      if (name === null) {
        lowered.push(statement)
        return
      }
      const syntax = CALL_SYNTAX[name]
      const { values, text } = readOperands(name, syntax, statement.body as Body & { kind: 'instruction' })
      let edx: Operand | null = null
      if (syntax.point) {
        const id = points.length + 1
        points.push({ id, kind: syntax.point, text: text ?? '', file, line: statement.line })
        edx = immediate(id)
      } else if (text !== null) {
        // The colon keeps it apart from the user's names.
        const label = `xm:text${texts.length}`
        texts.push(textStatement(label, text, statement))
        edx = operand({ expression: { kind: 'symbol', name: label, column: statement.column } })
      }
      const bodies = callBodies(GUEST_CALLS[name], values[0] ?? null, values[1] ?? edx)
      bodies.forEach((part, n) =>
        lowered.push({ ...statement, label: n === 0 ? statement.label : '', body: part }),
      )
    })
  }
  if (texts.length > 0) {
    const body: Body = { kind: 'section', name: '.rodata.xm', address: null, access: 'r' }
    lowered.push({ ...texts[0], label: '', body }, ...texts)
  }
  return { statements: lowered, points }
}

/** The call that an instruction stands for, or null. `xm_` in front of the name always means the call. */
function callName(body: Body | null): CallName | null {
  if (body?.kind === 'times') {
    const inner = callName(body.body)
    return inner === null ? null : mistakeInTimes(inner)
  }
  if (body?.kind !== 'instruction') return null
  const explicit = body.mnemonic.startsWith('xm_')
  const name = explicit ? body.mnemonic.slice(3) : body.mnemonic
  if (!Object.hasOwn(CALL_SYNTAX, name)) return null
  if (!explicit && ALSO_INSTRUCTIONS.get(name) === body.operands.length) return null
  return name as CallName
}

function mistakeInTimes(name: string): never {
  return mistake(0, `times cannot repeat ${name}, a call to the checker: write a loop.`)
}

function readOperands(
  name: string,
  syntax: CallSyntax,
  body: Body & { kind: 'instruction' },
): { values: readonly Operand[]; text: string | null } {
  if (body.prefixes.length > 0) mistake(0, `${name} is a call to the checker and takes no prefix: remove it.`)
  const operands = [...body.operands]
  const takesText = syntax.point !== null || syntax.logs
  let text: string | null = null
  const last = operands[operands.length - 1]
  if (takesText && last?.kind === 'string') {
    text = new TextDecoder().decode(last.bytes)
    operands.pop()
  }
  if (operands.length > syntax.values.length) {
    const form = [...syntax.values, ...(takesText ? ['"text"'] : [])].join(', ')
    mistake(
      operands[syntax.values.length].column,
      `Too many operands: write ${name}${form === '' ? '' : ' ' + form}.`,
    )
  }
  return { values: operands, text }
}

function callBodies(number: number, eax: Operand | null, edx: Operand | null): Body[] {
  const loads: Body[] = []
  if (eax) loads.push(...load('eax', eax))
  if (edx) {
    const intoEdx = load('edx', edx)
    if (!eax || !mentions(edx, 0)) loads.push(...intoEdx)
    else if (!mentions(eax, 2)) loads.unshift(...intoEdx)
    else
      mistake(
        edx.column,
        'These operands would overwrite each other in EAX and EDX: put one into another register first.',
      )
  }
  const displacement: Expression = {
    kind: 'number',
    value: BigInt(GUEST_CALL_TAG * 0x10000 + number),
    column: 0,
  }
  const eaxRegister: Expression = { kind: 'register', register: registerNamed('eax')!, column: 0 }
  const expression: Expression = {
    kind: 'binary',
    operator: '+',
    left: eaxRegister,
    right: displacement,
    column: 0,
  }
  const operands = [operand({ kind: 'memory', sizeBytes: 4, expression })]
  return [...loads, { kind: 'instruction', prefixes: [], mnemonic: 'nop', operands }]
}

/** `mov register, source`; smaller sources are zero-extended. Nothing where it is there already. */
function load(register: 'eax' | 'edx', source: Operand): Body[] {
  if (source.register?.name === register) return []
  const small =
    (source.register?.sizeBytes ?? source.sizeBytes) < 4 &&
    source.kind !== 'immediate' &&
    source.kind !== 'string'
  const narrow = small && (source.register !== null || source.sizeBytes > 0)
  const target = operand({ kind: 'register', column: source.column, register: registerNamed(register) })
  const operands = [target, source]
  return [{ kind: 'instruction', prefixes: [], mnemonic: narrow ? 'movzx' : 'mov', operands }]
}

/** Whether an operand reads general register `number`, in any width. */
export function mentions(source: Operand, number: number): boolean {
  const uses = (expression: Expression | null): boolean => {
    if (expression === null) return false
    if (expression.kind === 'register')
      return expression.register.class === 'general' && expression.register.number === number
    if (expression.kind === 'unary') return uses(expression.operand)
    return expression.kind === 'binary' && (uses(expression.left) || uses(expression.right))
  }
  const { register } = source
  // AH to BH are numbered 4 to 7 and belong to registers 0 to 3.
  const whole = register && register.sizeBytes === 1 ? register.number & 3 : register?.number
  return (register?.class === 'general' && whole === number) || uses(source.expression)
}

function immediate(value: number): Operand {
  return operand({ expression: { kind: 'number', value: BigInt(value), column: 0 } })
}

function textStatement(label: string, text: string, from: Statement): Statement {
  const bytes = new TextEncoder().encode(text + '\0')
  const body: Body = { kind: 'data', unitBytes: 1, items: [{ column: from.column, expression: null, bytes }] }
  return { line: from.line, column: from.column, label, labelColumn: from.column, body }
}
