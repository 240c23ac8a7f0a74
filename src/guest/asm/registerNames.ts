/** Register names of the i386, with the numbers that the encodings use. */
export type RegisterClass = 'general' | 'segment' | 'control' | 'debug' | 'test' | 'x87' | 'mmx' | 'xmm'

export interface Register {
  readonly name: string
  readonly class: RegisterClass
  /** Number in ModRM, SIB or opcode. */
  readonly number: number
  readonly sizeBytes: number
}

const names = new Map<string, Register>()

function define(registerClass: RegisterClass, sizeBytes: number, list: string): void {
  list
    .split(' ')
    .forEach((name, number) => names.set(name, { name, class: registerClass, number, sizeBytes }))
}

function numbered(prefix: string): string {
  return [0, 1, 2, 3, 4, 5, 6, 7].map((number) => prefix + number).join(' ')
}

define('general', 1, 'al cl dl bl ah ch dh bh')
define('general', 2, 'ax cx dx bx sp bp si di')
define('general', 4, 'eax ecx edx ebx esp ebp esi edi')
define('segment', 2, 'es cs ss ds fs gs')
define('control', 4, numbered('cr'))
define('debug', 4, numbered('dr'))
define('test', 4, numbered('tr'))
define('x87', 10, numbered('st'))
// `st` alone is the top of the stack.
names.set('st', names.get('st0')!)
define('mmx', 8, numbered('mm'))
define('xmm', 16, numbered('xmm'))

/** The register called `name` (lower case), or null. */
export function registerNamed(name: string): Register | null {
  return names.get(name) ?? null
}

/** All names, for tests and for messages. */
export function registerNames(): readonly string[] {
  return [...names.keys()]
}
