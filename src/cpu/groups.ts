/** Instructions by group, as the manual sorts them (SDM vol. 1 chapter 5): docs and scores go by these. */
export const GROUPS: readonly (readonly [name: string, mnemonics: RegExp])[] = [
  ['data transfer', /^(mov|cmov.*|xchg|bswap|xadd|cmpxchg|cmpxchg8b|push|pop|pusha|popa|cwd|cbw|movsx|movzx)$/],
  ['binary arithmetic', /^(add|adc|sub|sbb|imul|mul|idiv|div|inc|dec|neg|cmp)$/],
  ['decimal arithmetic', /^(daa|das|aaa|aas|aam|aad)$/],
  ['logical', /^(and|or|xor|not)$/],
  ['shift and rotate', /^(sar|shr|sal|shl|shrd|shld|ror|rol|rcr|rcl)$/],
  ['bit and byte', /^(bt|bts|btr|btc|bsf|bsr|set.*|test)$/],
  ['control transfer', /^(j.*|loop.*|call|ret|retf|iret|int.*|bound|enter|leave)$/],
  ['string', /^(movs|cmps|scas|lods|stos)$/],
  ['I/O', /^(in|out|ins|outs)$/],
  ['flag control', /^(stc|clc|cmc|cld|std|lahf|sahf|pushf|popf|sti|cli)$/],
  ['segment register', /^(lds|les|lfs|lgs|lss)$/],
  ['miscellaneous', /^(lea|nop|pause|ud.*|xlat|cpuid|salc|[lms]fence|clflush)$/],
  ['system', /^(l[gi]dt|s[gi]dt|lldt|sldt|ltr|str|lmsw|smsw|clts|arpl|lar|lsl|verr|verw|inv.*|wbinvd|hlt|rdmsr|wrmsr|rdpmc|rdtsc|sys.*)$/],
  ['x87 and its state', /^(x87|fwait|fxsave|fxrstor)$/],
]

export function groupOf(mnemonic: string): string {
  const group = GROUPS.find(([, mnemonics]) => mnemonics.test(mnemonic))
  if (group === undefined) throw new Error(`${mnemonic} is in no group`)
  return group[0]
}
