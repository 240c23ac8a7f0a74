/** Operands with their values, as the encoder compares them with the ISA table. */
import { makeAddress, type Address } from './address.ts'
import { evaluate, type Scope, type Value } from './expressions.ts'
import { mistake } from './problems.ts'
import type { Register } from './registerNames.ts'
import type { Expression, Operand } from './syntax.ts'

export interface Concrete {
  readonly kind: 'register' | 'memory' | 'immediate' | 'far'
  readonly column: number
  /** What the user said about the size, or what the register has; 0: nothing. */
  readonly sizeBytes: number
  readonly register: Register | null
  readonly address: Address | null
  /** Segment override, -1: none. */
  readonly segment: number
  /** Immediate, or offset of a far pointer. */
  readonly value: bigint
  /** False while the value is not known yet: then any width will do. */
  readonly known: boolean
  /** Contains a label: the widest form. */
  readonly relocatable: boolean
  readonly strict: boolean
  readonly distance: Operand['distance']
  readonly selector: bigint
}

/** What `parts` leaves out says nothing. */
export function concrete(parts: Partial<Concrete>): Concrete {
  return {
    kind: 'immediate', column: 0, sizeBytes: 0, register: null, address: null, segment: -1, value: 0n, known: true,
    relocatable: false, strict: false, distance: '', selector: 0n, ...parts,
  } // prettier-ignore
}

export function makeConcrete(operand: Operand, scope: Scope, bits: 16 | 32): Concrete {
  const { kind, column, sizeBytes, strict, distance, register, segment, expression } = operand
  const common = { column, sizeBytes, strict, distance }
  if (kind === 'register' && register) {
    return concrete({ ...common, kind, register, sizeBytes: register.sizeBytes })
  }
  if (!expression) return mistake(column, 'This text is too long for an immediate: put it into data with db.')
  if (kind === 'memory') {
    const value = evaluate(expression, scope)
    return concrete({
      ...common,
      kind,
      segment,
      address: makeAddress(value, bits, operand.displacementBytes, column),
    })
  }
  const value = plainValue(expression, scope)
  const rest = { ...common, value: value.constant, known: value.known, relocatable: value.labels !== 0 }
  if (kind !== 'far' || !operand.selector) return concrete({ ...rest, kind: 'immediate' })
  const selector = plainValue(operand.selector, scope).constant
  if (selector < 0n || selector > 0xffffn)
    mistake(column, `The selector ${selector} does not fit 16 bits: use a smaller one.`)
  return concrete({ ...rest, kind, selector })
}

function plainValue(expression: Expression, scope: Scope): Value {
  const value = evaluate(expression, scope)
  if (value.registers.length > 0) {
    mistake(
      expression.column,
      'Registers cannot be calculated with here: only inside brackets, as part of an address.',
    )
  }
  return value
}
