/** Numbers of the ELF32 format (System V ABI, chapter 4) and its i386 supplement. */

export const ET_REL = 1
export const EM_386 = 3
export const HEADER_BYTES = 52
export const SECTION_HEADER_BYTES = 40
export const SYMBOL_BYTES = 16
export const REL_BYTES = 8

export const SHT_NULL = 0
export const SHT_PROGBITS = 1
export const SHT_SYMTAB = 2
export const SHT_STRTAB = 3
export const SHT_RELA = 4
export const SHT_NOTE = 7
export const SHT_NOBITS = 8
export const SHT_REL = 9
export const SHT_INIT_ARRAY = 14
export const SHT_FINI_ARRAY = 15
export const SHT_PREINIT_ARRAY = 16
export const SHT_GROUP = 17
export const SHT_SYMTAB_SHNDX = 18

export const SHF_WRITE = 0x1
export const SHF_ALLOC = 0x2
export const SHF_EXECINSTR = 0x4
export const SHF_TLS = 0x400
export const SHF_COMPRESSED = 0x800

export const GRP_COMDAT = 1

export const SHN_UNDEF = 0
export const SHN_LORESERVE = 0xff00
export const SHN_ABS = 0xfff1
export const SHN_COMMON = 0xfff2

export const STB_LOCAL = 0
export const STB_GLOBAL = 1
export const STB_WEAK = 2
export const STB_GNU_UNIQUE = 10

export const STT_NOTYPE = 0
export const STT_OBJECT = 1
export const STT_FUNC = 2
export const STT_SECTION = 3
export const STT_FILE = 4
export const STT_COMMON = 5
export const STT_TLS = 6
export const STT_GNU_IFUNC = 10

/** How a relocation type is computed: width of the field in bytes, and whether relative to its address. */
export interface RelocationKind {
  readonly name: string
  readonly widthBytes: number
  readonly relative: boolean
}

/** The supported types. PLT32 is PC32 here: everything is linked statically, so no call needs a table. */
export const RELOCATIONS: ReadonlyMap<number, RelocationKind> = new Map([
  [1, { name: 'R_386_32', widthBytes: 4, relative: false }],
  [2, { name: 'R_386_PC32', widthBytes: 4, relative: true }],
  [4, { name: 'R_386_PLT32', widthBytes: 4, relative: true }],
  [20, { name: 'R_386_16', widthBytes: 2, relative: false }],
  [21, { name: 'R_386_PC16', widthBytes: 2, relative: true }],
  [22, { name: 'R_386_8', widthBytes: 1, relative: false }],
  [23, { name: 'R_386_PC8', widthBytes: 1, relative: true }],
])

const USE_NO_PIC = 'compile with -fno-pic -fno-pie'
const NO_TLS = 'there is no thread-local storage: use the per-vCPU area at %gs, or an array indexed by vCPU'

/** The types that are not supported: name, and what to do. */
export const UNSUPPORTED_RELOCATIONS: ReadonlyMap<number, readonly [name: string, remedy: string]> = new Map([
  [3, ['R_386_GOT32', USE_NO_PIC]],
  [5, ['R_386_COPY', 'give the relocatable object (gcc -c), not a linked file']],
  [6, ['R_386_GLOB_DAT', 'give the relocatable object (gcc -c), not a linked file']],
  [7, ['R_386_JUMP_SLOT', 'give the relocatable object (gcc -c), not a linked file']],
  [8, ['R_386_RELATIVE', 'give the relocatable object (gcc -c), not a linked file']],
  [9, ['R_386_GOTOFF', USE_NO_PIC]],
  [10, ['R_386_GOTPC', USE_NO_PIC]],
  [11, ['R_386_32PLT', USE_NO_PIC]],
  [14, ['R_386_TLS_TPOFF', NO_TLS]],
  [15, ['R_386_TLS_IE', NO_TLS]],
  [16, ['R_386_TLS_GOTIE', NO_TLS]],
  [17, ['R_386_TLS_LE', NO_TLS]],
  [18, ['R_386_TLS_GD', NO_TLS]],
  [19, ['R_386_TLS_LDM', NO_TLS]],
  [32, ['R_386_TLS_LDO_32', NO_TLS]],
  [33, ['R_386_TLS_IE_32', NO_TLS]],
  [34, ['R_386_TLS_LE_32', NO_TLS]],
  [38, ['R_386_SIZE32', 'write sizes as constants']],
  [39, ['R_386_TLS_GOTDESC', NO_TLS]],
  [42, ['R_386_IRELATIVE', 'there is no indirect function support: call the function directly']],
  [43, ['R_386_GOT32X', USE_NO_PIC]],
])
