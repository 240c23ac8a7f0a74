/** The directives that make a program a scenario: `.vcpu`, `.handler`, `.site` and so on. */
import { PCPUS_MAX } from '../../smp/model.ts'
import { BELIEVED, MODE_POINT, STEAL_STRIDE_MAX, type CheckPoint, type Claim, type NamedRange, type PatchSite, type StealTime } from '../../smp/image.ts'
import { VCPUS_MAX } from '../../smp/sharing.ts'
import { integer, number, type Scope } from './expressions.ts'
import { mistake, type Problems } from './problems.ts'
import { nearest } from './suggest.ts'
import type { Expression, Operand, Statement } from './syntax.ts'

export interface NamedAddress {
  readonly name: string
  readonly address: number
}

export interface HandlerDeclaration extends NamedAddress {
  readonly vector: number
  /** `wrapped`: called as a C function by a stub, which saves the registers and returns with IRET. */
  readonly raw: boolean
}

export interface SourceDeclaration {
  readonly name: string
  /** -1: every vCPU. */
  readonly vcpu: number
  readonly vector: number
  readonly nmi: boolean
  /** 0: any number. */
  readonly max: number
}

/** What the directives of a scenario declare. */
export interface Declarations {
  title: string
  readonly vcpus: NamedAddress[]
  init: NamedAddress | null
  final: NamedAddress | null
  /** One per vector. */
  readonly handlers: HandlerDeclaration[]
  readonly sources: SourceDeclaration[]
  readonly sites: SiteDeclaration[]
  readonly objects: NamedRange[]
  /** null: one each. */
  pcpus: number | null
  readonly claims: Claim[]
  /** Of the claims. */
  readonly points: CheckPoint[]
  stealTime: StealTime | null
}

/** A patch site; the bytes of its forms stand at labels, to be read once everything is assembled. */
export interface SiteDeclaration extends PatchSite {
  readonly formLabels?: readonly NamedAddress[]
}

export interface DeclarationScope extends Scope {
  /** Whether an address is in a section that may be executed. */
  isCode(address: number): boolean
}

const ADDRESS_MAX = 0xffffffff
const SITE_BYTES_MAX = 64
const NMI_VECTOR = 2
const MAX_ARRIVALS = 1_000_000

interface Directive {
  /** Operands as the reference shows them. */
  readonly form: string
  readonly least: number
  readonly most: number
  readonly read: (reader: Reader) => void
}

function directive(form: string, least: number, most: number, read: (reader: Reader) => void): Directive {
  return { form, least, most, read }
}

const DIRECTIVES: ReadonlyMap<string, Directive> = new Map([
  ['.title', directive('"text"', 1, 1, (reader) => reader.title())],
  ['.vcpu', directive('label, count', 1, 2, (reader) => reader.vcpu())],
  ['.init', directive('label', 1, 1, (reader) => reader.single('init'))],
  ['.final', directive('label', 1, 1, (reader) => reader.single('final'))],
  ['.handler', directive('vector, label, wrapped', 2, 3, (reader) => reader.handler())],
  ['.irq', directive('vcpu, vector, label, max', 3, 4, (reader) => reader.source(false))],
  ['.nmi', directive('vcpu, label, max', 2, 3, (reader) => reader.source(true))],
  ['.site', directive('label, size, target, ..., int3', 3, 1000, (reader) => reader.site())],
  ['.forms', directive('label, size, label, ..., int3', 3, 1000, (reader) => reader.forms())],
  ['.calls', directive('label, function, ...', 2, 1000, (reader) => reader.calls())],
  ['.belief', directive('vcpu, label, register, bits, value, may', 3, 6, (reader) => reader.belief())],
  ['.own', directive('vcpu, label, size', 3, 3, (reader) => reader.own())],
  ['.dirty', directive('label, size', 2, 2, (reader) => reader.dirty())],
  ['.forbids', directive('name, function, ...', 2, 1000, (reader) => reader.forbids())],
  ['.object', directive('label, size', 2, 2, (reader) => reader.object())],
  ['.pcpus', directive('count', 1, 1, (reader) => reader.pcpus())],
  ['.steal', directive('label, stride', 2, 2, (reader) => reader.steal())],
])

/** Names of the directives, for the reference's test. */
export function directiveNames(): readonly string[] {
  return [...DIRECTIVES.keys()]
}

/** Reads every directive, in the order of the source; mistakes go to `problems`. */
export function readDeclarations(
  statements: readonly Statement[],
  scope: DeclarationScope,
  problems: Problems,
): Declarations {
  const declared: Declarations = {
    title: '', vcpus: [], init: null, final: null, handlers: [], sources: [], sites: [], objects: [], pcpus: null, stealTime: null, claims: [], points: [],
  } // prettier-ignore
  for (const { line, column, body } of statements) {
    if (body?.kind !== 'declaration') continue
    problems.attempt(line, column, () => {
      const found = DIRECTIVES.get(body.name)
      if (!found) {
        const hint = nearest(
          body.name,
          [...DIRECTIVES.keys()],
          `directives are ${[...DIRECTIVES.keys()].join(' ')}`,
        )
        return mistake(column, `There is no directive ${body.name}: ${hint} A local label needs a colon.`)
      }
      const { length } = body.arguments
      if (length < found.least || length > found.most) {
        mistake(column, `${body.name} has ${length} operands: write ${body.name} ${found.form}.`)
      }
      found.read(new Reader(body.arguments, declared, scope, line))
    })
  }
  problems.attempt(1, 1, () => checkSources(declared))
  return declared
}

/** Interrupts and claims name vCPUs, which may be declared further down. */
function checkSources(declared: Declarations): void {
  for (const claim of declared.claims)
    if ('vcpu' in claim && claim.vcpu >= declared.vcpus.length) mistake(1, `${claim.name}: there is no vCPU ${claim.vcpu}, the program has ${declared.vcpus.length}.`)
  for (const { vcpu, name } of declared.sources) {
    if (vcpu >= declared.vcpus.length)
      mistake(1, `${name}: there is no vCPU ${vcpu}, the program has ${declared.vcpus.length}.`)
  }
}

type ClaimWithoutId = Claim extends infer One ? (One extends Claim ? Omit<One, 'id'> : never) : never
/** Check points of claims are numbered from here; those of calls from 1. */
const CLAIM_IDS = 1 << 24

class Reader {
  readonly #arguments: readonly Operand[]
  readonly #declared: Declarations
  readonly #scope: DeclarationScope
  readonly #line: number

  constructor(operands: readonly Operand[], declared: Declarations, scope: DeclarationScope, line: number) {
    this.#line = line
    this.#arguments = operands
    this.#declared = declared
    this.#scope = scope
  }

  title(): void {
    const [text] = this.#arguments
    if (text.kind !== 'string') mistake(text.column, 'A title is a text: put it in quotes.')
    this.#declared.title = new TextDecoder().decode(text.bytes)
  }

  vcpu(): void {
    const entry = this.#code(0)
    const count = this.#number(1, 'The number of vCPUs', 1, VCPUS_MAX, 1)
    for (let n = 0; n < count; n++) this.#declared.vcpus.push(entry)
    if (this.#declared.vcpus.length > VCPUS_MAX) mistake(0, `More than ${VCPUS_MAX} vCPUs: remove some.`)
  }

  single(which: 'init' | 'final'): void {
    const other = this.#declared[which]
    if (other) mistake(0, `.${which} is already ${other.name}: call both from one function.`)
    this.#declared[which] = this.#code(0)
  }

  handler(): void {
    const vector = this.#number(0, 'The vector', 0, 255)
    const raw = !this.#isWord(2, 'wrapped')
    if (raw && this.#arguments.length > 2)
      mistake(this.#arguments[2].column, 'Only the word wrapped can stand here.')
    this.#addHandler({ ...this.#code(1), vector, raw }, false)
  }

  source(nmi: boolean): void {
    const vcpu = this.#isWord(0, 'all') ? -1 : this.#number(0, 'The vCPU', 0, VCPUS_MAX - 1)
    const vector = nmi ? NMI_VECTOR : this.#number(1, 'The vector of an interrupt', 32, 255)
    const label = nmi ? 1 : 2
    const handler = this.#code(label)
    const max = this.#number(label + 1, 'The number of arrivals', 0, MAX_ARRIVALS, 1)
    this.#addHandler({ ...handler, vector, raw: true }, true)
    const name = nmi ? `NMI ${handler.name}` : `${handler.name} (vector ${vector})`
    this.#declared.sources.push({ name, vcpu, vector, nmi, max })
  }

  /** The vCPUs share one IDT. A source accepts the handler that is there, wrapped or not. */
  #addHandler(handler: HandlerDeclaration, any: boolean): void {
    const { handlers } = this.#declared
    const other = handlers.find(({ vector }) => vector === handler.vector)
    if (!other) handlers.push(handler)
    else if (other.address !== handler.address || (!any && other.raw !== handler.raw)) {
      mistake(
        0,
        `Vector ${handler.vector} has another handler, ${other.name}: the vCPUs share one IDT, use one handler.`,
      )
    }
  }

  site(): void {
    const { rest, ...head } = this.#siteHead()
    const { address, sizeBytes } = head
    const next = {
      ...this.#scope,
      lookUp: (word: string) => this.#scope.lookUp(word) ?? fallThrough(word, address + sizeBytes),
    }
    const targets = rest.map((n) => integer(this.#expression(n), next, 'The target', 0, ADDRESS_MAX))
    if (targets.length === 0)
      mistake(0, 'This site has no target: name the labels that it may lead to, or next.')
    this.#declared.sites.push({ ...head, targets: [...new Set(targets)] })
  }

  forms(): void {
    const { rest, ...head } = this.#siteHead()
    if (rest.length === 0) mistake(0, 'This site has no form: name the labels of the bytes that may stand there.')
    const formLabels = rest.map((n) => {
      const expression = this.#expression(n)
      const address = integer(expression, this.#scope, 'The address of the form', 0, ADDRESS_MAX)
      return { name: nameOf(expression, address), address }
    })
    this.#declared.sites.push({ ...head, targets: [], formLabels })
  }

  #siteHead() {
    const { name, address } = this.#code(0)
    const sizeBytes = this.#number(1, 'The size of a site', 1, SITE_BYTES_MAX)
    const all = this.#arguments.map((_, n) => n).slice(2)
    const rest = all.filter((n) => !this.#isWord(n, 'int3'))
    return { name, address, sizeBytes, int3: rest.length < all.length, rest }
  }

  calls(): void {
    const { address, name } = this.#code(0)
    const { sites } = this.#declared
    const at = sites.findIndex((site) => site.address === address)
    if (at < 0) mistake(0, `There is no site ${name}: declare it above, with .site or .forms.`)
    sites[at] = { ...sites[at], calls: this.#arguments.slice(1).map((_, n) => this.#code(n + 1).address) }
  }

  object(): void {
    const sizeBytes = this.#number(1, 'The size', 1, ADDRESS_MAX)
    this.#declared.objects.push({ ...this.#place(0), sizeBytes })
  }

  belief(): void {
    const what = BELIEVED.find((name) => this.#arguments[2].register?.name === name || this.#isWord(2, name))
    if (what === undefined) return mistake(this.#arguments[2].column, `What is believed is one of ${BELIEVED.join(' ')}.`)
    const mayBe = this.#isWord(5, 'may')
    const value = this.#arguments.length > 4 ? this.#number(4, 'The value', 0, ADDRESS_MAX) | 0 : null
    this.#claim({ kind: 'belief', ...this.#place(1), sizeBytes: 4, vcpu: this.#vcpu(), what, bits: this.#number(3, 'The bits', 1, ADDRESS_MAX, ADDRESS_MAX) | 0, value, mayBe })
  }

  own(): void {
    this.#claim({ kind: 'own', ...this.#place(1), sizeBytes: this.#number(2, 'The size', 1, ADDRESS_MAX), vcpu: this.#vcpu() })
  }

  dirty(): void {
    this.#claim({ kind: 'dirty', ...this.#place(0), sizeBytes: this.#number(1, 'The size', 1, ADDRESS_MAX) })
  }

  forbids(): void {
    this.#claim({ kind: 'forbids', ...this.#place(0), sizeBytes: 0, functions: this.#arguments.slice(1).map((_, n) => this.#code(n + 1).address) })
  }

  #vcpu(): number {
    return this.#number(0, 'The vCPU', 0, VCPUS_MAX - 1)
  }

  #claim(claim: ClaimWithoutId): void {
    const id = CLAIM_IDS + this.#declared.claims.length * (MODE_POINT + 1)
    this.#declared.claims.push({ ...claim, id })
    const point = { id, kind: claim.kind, text: claim.name, file: '', line: this.#line }
    this.#declared.points.push(point)
    if (claim.kind === 'forbids') this.#declared.points.push({ ...point, id: id + MODE_POINT, kind: 'mode' })
  }

  #place(index: number): NamedAddress {
    const expression = this.#expression(index)
    const address = integer(expression, this.#scope, 'The address', 0, ADDRESS_MAX)
    return { name: nameOf(expression, address), address }
  }

  pcpus(): void {
    const { pcpus } = this.#declared
    if (pcpus !== null) mistake(0, `.pcpus is already ${pcpus}: declare it once.`)
    this.#declared.pcpus = this.#number(0, 'The number of pCPUs', 1, PCPUS_MAX)
  }

  steal(): void {
    if (this.#declared.stealTime !== null) mistake(0, 'There is a .steal already: declare it once.')
    const address = integer(this.#expression(0), this.#scope, 'The address', 0, ADDRESS_MAX)
    this.#declared.stealTime = { address, strideBytes: this.#number(1, 'The number of bytes a vCPU', 1, STEAL_STRIDE_MAX) }
  }

  #expression(index: number): Expression {
    const { kind, expression, column } = this.#arguments[index]
    if (kind !== 'immediate' || !expression) mistake(column, 'Expected a number or a label.')
    return expression
  }

  #number(index: number, meaning: string, least: number, most: number, absent = 0): number {
    return index < this.#arguments.length
      ? integer(this.#expression(index), this.#scope, meaning, least, most)
      : absent
  }

  #code(index: number): NamedAddress {
    const place = this.#place(index)
    if (!this.#scope.isCode(place.address)) {
      mistake(
        this.#expression(index).column,
        'There is no code at this address: name a label in a section that may be executed.',
      )
    }
    return place
  }

  /** Whether an operand is this very word, and not the user's label of that name. */
  #isWord(index: number, word: string): boolean {
    const expression = this.#arguments[index]?.expression
    return expression?.kind === 'symbol' && expression.name === word && !this.#scope.lookUp(word)
  }
}

/** `next` as a target: the site may fall through. */
function fallThrough(word: string, address: number) {
  return word === 'next' ? number(BigInt(address), 1) : undefined
}

function nameOf(expression: Expression, address: number): string {
  return expression.kind === 'symbol' ? expression.name : '0x' + address.toString(16)
}
