/**
 * Calls of functions as C makes them, as one instruction: `invoke f, a, b` becomes `push b`, `push a`, `call f`, `add esp, 8`.
 */
import { mentions } from './guestCalls.ts'
import { operand } from './parseOperand.ts'
import { mistake, type Problems } from './problems.ts'
import { registerNamed } from './registerNames.ts'
import type { Body, Operand, Statement } from './syntax.ts'

export function lowerInvocations(statements: readonly Statement[], problems: Problems): Statement[] {
  const lowered: Statement[] = []
  for (const statement of statements)
    problems.attempt(statement.line, statement.column, () => {
      const { body } = statement
      if (body?.kind === 'times' && body.body.kind === 'instruction' && body.body.mnemonic === 'invoke') mistake(0, 'times cannot repeat invoke: write a loop.')
      if (body?.kind !== 'instruction' || body.mnemonic !== 'invoke') lowered.push(statement)
      else instructions(body).forEach((part, n) => lowered.push({ ...statement, label: n === 0 ? statement.label : '', body: part }))
    })
  return lowered
}

function instructions({ prefixes, operands }: Body & { kind: 'instruction' }): Body[] {
  if (prefixes.length > 0 || operands.length === 0) mistake(0, 'Write invoke FUNCTION, ARGUMENTS..., without a prefix.')
  const [target, ...values] = operands
  const instruction = (mnemonic: string, ...of: Operand[]): Body => ({ kind: 'instruction', prefixes: [], mnemonic, operands: of })
  const pushes = values.toReversed().map((value) => {
    if (mentions(value, ESP)) mistake(value.column, 'ESP moves while arguments are pushed: put the value into another register first.')
    return instruction('push', value.kind === 'memory' && value.sizeBytes === 0 ? { ...value, sizeBytes: 4 } : value)
  })
  const esp = operand({ kind: 'register', register: registerNamed('esp') })
  const bytes = operand({ expression: { kind: 'number', value: BigInt(4 * values.length), column: 0 } })
  return [...pushes, instruction('call', target), ...(values.length > 0 ? [instruction('add', esp, bytes)] : [])]
}
const ESP = 4
