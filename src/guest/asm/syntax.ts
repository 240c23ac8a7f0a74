/** What the parser hands to the assembler: statements, operands and expressions, all with their place. */
import type { Register } from './registerNames.ts'

/** Expressions hold their column so that an error found late (an undefined name, say) can still point at it. */
export type Expression =
  | { readonly kind: 'number'; readonly value: bigint; readonly column: number }
  | { readonly kind: 'symbol'; readonly name: string; readonly column: number }
  | { readonly kind: 'register'; readonly register: Register; readonly column: number }
  /** `$`: address of the statement. */
  | { readonly kind: 'here'; readonly column: number }
  /** `$$`: address of the section. */
  | { readonly kind: 'sectionStart'; readonly column: number }
  | {
      readonly kind: 'unary'
      readonly operator: string
      readonly operand: Expression
      readonly column: number
    }
  | {
      readonly kind: 'binary'
      readonly operator: string
      readonly left: Expression
      readonly right: Expression
      readonly column: number
    }

export interface Operand {
  readonly kind: 'register' | 'memory' | 'immediate' | 'far' | 'string'
  readonly column: number
  /** Size keyword in bytes (`dword` is 4); 0: none. */
  readonly sizeBytes: number
  /** `strict`: the size keyword holds for the encoding too; no shorter immediate is chosen. */
  readonly strict: boolean
  /** `short`, `near`, `far`, or '' where nothing was said. */
  readonly distance: '' | 'short' | 'near' | 'far'
  readonly register: Register | null
  /** Memory: the address; immediate: the value; far: the offset. */
  readonly expression: Expression | null
  /** Memory: segment override (encoding number), -1 without; far: unused. */
  readonly segment: number
  /** Memory: size keyword inside the brackets, which fixes the width of the displacement; 0: shortest. */
  readonly displacementBytes: number
  /** far: the selector. */
  readonly selector: Expression | null
  /** string: its bytes. */
  readonly bytes: Uint8Array
}

export interface DataItem {
  readonly column: number
  /** Exactly one of the two is there; `expression` null and `bytes` null: `?`, zeros. */
  readonly expression: Expression | null
  readonly bytes: Uint8Array | null
}

export type Body =
  | {
      readonly kind: 'instruction'
      readonly prefixes: readonly string[]
      readonly mnemonic: string
      readonly operands: readonly Operand[]
    }
  | { readonly kind: 'data'; readonly unitBytes: number; readonly items: readonly DataItem[] }
  | { readonly kind: 'reserve'; readonly unitBytes: number; readonly count: Expression }
  | { readonly kind: 'times'; readonly count: Expression; readonly body: Body }
  | { readonly kind: 'align'; readonly boundary: Expression; readonly fill: Expression | null }
  | { readonly kind: 'org'; readonly address: Expression }
  | {
      readonly kind: 'section'
      readonly name: string
      readonly address: Expression | null
      /** Letters of `rwx`; '' where the name decides. */
      readonly access: string
    }
  | { readonly kind: 'bits'; readonly bits: 16 | 32 }
  | { readonly kind: 'equ'; readonly name: string; readonly value: Expression }
  /** `.vcpu`, `.site` ...: handed on as it is; scenario.ts knows what it means. */
  | { readonly kind: 'declaration'; readonly name: string; readonly arguments: readonly Operand[] }

export interface Statement {
  readonly line: number
  readonly column: number
  /** Full name (local labels with their parent), or ''. */
  readonly label: string
  readonly labelColumn: number
  readonly body: Body | null
}
