// properties/camp.ts
import fc2 from "fast-check";

// properties/patchingProtocols.ts
import fc from "fast-check";

// src/cpu/exceptions.ts
var DE = 0;
var DB = 1;
var BR = 5;
var UD = 6;
var NM = 7;
var DF_ = 8;
var TS_ = 10;
var NP = 11;
var SS_ = 12;
var GP = 13;
var PF_ = 14;
var MF = 16;
var AC_ = 17;
var EXCEPTION_NAMES = [
  "#DE",
  "#DB",
  "NMI",
  "#BP",
  "#OF",
  "#BR",
  "#UD",
  "#NM",
  "#DF",
  "CSO",
  "#TS",
  "#NP",
  "#SS",
  "#GP",
  "#PF",
  "",
  "#MF",
  "#AC",
  "#MC"
];
var WITH_ERROR = 1 << DF_ | 1 << TS_ | 1 << NP | 1 << SS_ | 1 << GP | 1 << PF_ | 1 << AC_;
var CONTRIBUTORY = 1 << DE | 1 << TS_ | 1 << NP | 1 << SS_ | 1 << GP;
function hasErrorCode(vector) {
  return vector < 32 && (WITH_ERROR >>> vector & 1) !== 0;
}
function combinesToDoubleFault(first, second) {
  const contributory = (CONTRIBUTORY >>> second & 1) !== 0;
  if (first === PF_) return contributory || second === PF_;
  return first < 32 && (CONTRIBUTORY >>> first & 1) !== 0 && contributory;
}

// src/cpu/registers.ts
var EAX = 0;
var ECX = 1;
var EDX = 2;
var EBX = 3;
var ESP = 4;
var EBP = 5;
var ESI = 6;
var EDI = 7;
var EIP = 8;
var EFLAGS = 9;
var ACTIVITY = 10;
var SHADOW = 11;
var EVENT = 12;
var EVENT_ERROR = 13;
var ZERO = 15;
var SELECTOR = 16;
var SEG_BASE = 24;
var SEG_LIMIT = 32;
var SEG_ATTR = 40;
var GDT_BASE = 48;
var GDT_LIMIT = 49;
var IDT_BASE = 50;
var IDT_LIMIT = 51;
var CR0 = 52;
var CR2 = 53;
var CR3 = 54;
var CR4 = 55;
var DR0 = 56;
var DR6 = 60;
var DR7 = 61;
var PDPTE = 62;
var MSR_SYSENTER_CS = 70;
var MSR_SYSENTER_ESP = 71;
var MSR_SYSENTER_EIP = 72;
var MSR_EFER = 73;
var MSR_PAT_LO = 74;
var MSR_PAT_HI = 75;
var MSR_APIC_BASE = 76;
var FPU_CW = 80;
var FPU_SW = 81;
var FPU_TW = 82;
var FPU_IP = 83;
var FPU_CS = 84;
var FPU_DP = 85;
var FPU_DS = 86;
var FPU_OP = 87;
var FPU_ST = 88;
var MXCSR = 112;
var REGISTER_WORDS = 120;
var ES = 0;
var CS = 1;
var SS = 2;
var DS = 3;
var FS = 4;
var GS = 5;
var TR = 6;
var LDTR = 7;
var ACTIVE = 0;
var HALTED = 1;
var SHUTDOWN = 2;
var SHADOW_STI = 1;
var SHADOW_MOV_SS = 2;
var SHADOW_NMI = 4;
var SHADOW_HITS_SHIFT = 8;
var EVENT_VALID = 2147483648 | 0;
var EVENT_HAS_ERROR = 2048;
var EVENT_EXTERNAL = 0 << 8;
var EVENT_NMI = 2 << 8;
var EVENT_EXCEPTION = 3 << 8;
var EVENT_INT_N = 4 << 8;
var EVENT_INT1 = 5 << 8;
var EVENT_INT3 = 6 << 8;
var EVENT_TYPE = 7 << 8;
var EVENT_LENGTH_SHIFT = 12;
var EVENT_FAULT = 1 << 16;
var CR0_PE = 1 << 0;
var CR0_MP = 1 << 1;
var CR0_EM = 1 << 2;
var CR0_TS = 1 << 3;
var CR0_ET = 1 << 4;
var CR0_NE = 1 << 5;
var CR0_WP = 1 << 16;
var CR0_AM = 1 << 18;
var CR0_NW = 1 << 29;
var CR0_CD = 1 << 30;
var CR0_PG = 1 << 31;
var CR4_VME = 1 << 0;
var CR4_PVI = 1 << 1;
var CR4_TSD = 1 << 2;
var CR4_DE = 1 << 3;
var CR4_PSE = 1 << 4;
var CR4_PAE = 1 << 5;
var CR4_PGE = 1 << 7;
var CR4_PCE = 1 << 8;
var CR4_OSFXSR = 1 << 9;
var EFER_NXE = 1 << 11;
var ATTR_ACCESSED = 1 << 0;
var ATTR_RW = 1 << 1;
var ATTR_CONFORMING = 1 << 2;
var ATTR_EXPAND_DOWN = 1 << 2;
var ATTR_CODE = 1 << 3;
var ATTR_SEGMENT = 1 << 4;
var ATTR_DPL_SHIFT = 5;
var ATTR_PRESENT = 1 << 7;
var ATTR_BIG = 1 << 14;
var ATTR_GRANULAR = 1 << 15;
var CF = 1 << 0;
var PF = 1 << 2;
var AF = 1 << 4;
var ZF = 1 << 6;
var SF = 1 << 7;
var TF = 1 << 8;
var IF = 1 << 9;
var DF = 1 << 10;
var OF = 1 << 11;
var IOPL = 3 << 12;
var NT = 1 << 14;
var RF = 1 << 16;
var VM = 1 << 17;
var AC = 1 << 18;
var VIF = 1 << 19;
var VIP = 1 << 20;
var ID = 1 << 21;

// src/cpu/flags.ts
var ARITHMETIC = CF | PF | AF | ZF | SF | OF;
var PARITY = Uint8Array.from({ length: 256 }, (_, byte2) => {
  let ones = 0;
  for (let bit2 = 0; bit2 < 8; bit2++) ones += byte2 >> bit2 & 1;
  return ones % 2 === 0 ? PF : 0;
});
function signBit(size) {
  return size === 4 ? 2147483648 | 0 : size === 2 ? 32768 : 128;
}
function mask(value, size) {
  return size === 4 ? value | 0 : value & (size === 2 ? 65535 : 255);
}
function resultFlags(result, size) {
  const top = result << 32 - size * 8;
  return (top === 0 ? ZF : 0) | top >>> 24 & SF | PARITY[result & 255];
}
function setFlags(r, flags, which = ARITHMETIC) {
  r[EFLAGS] = r[EFLAGS] & ~which | flags & which;
}
function addFlags(a, b, carry, size) {
  const unused = 32 - size * 8;
  const result = a + b + carry | 0;
  const top = result << unused;
  return (top === 0 ? ZF : 0) | top >>> 24 & SF | PARITY[result & 255] | (a ^ b ^ result) & AF | (a & b | (a | b) & ~result) << unused >>> 31 | ((a ^ result) & (b ^ result)) << unused >>> 20 & OF;
}
function subFlags(a, b, borrow, size) {
  const unused = 32 - size * 8;
  const result = a - b - borrow | 0;
  const top = result << unused;
  return (top === 0 ? ZF : 0) | top >>> 24 & SF | PARITY[result & 255] | (a ^ b ^ result) & AF | (~a & b | ~(a ^ b) & result) << unused >>> 31 | ((a ^ b) & (a ^ result)) << unused >>> 20 & OF;
}
function add(r, a, b, size) {
  setFlags(r, addFlags(a, b, 0, size));
  return mask(a + b, size);
}
function adc(r, a, b, size) {
  const carry = r[EFLAGS] & CF;
  setFlags(r, addFlags(a, b, carry, size));
  return mask(a + b + carry, size);
}
function sub(r, a, b, size) {
  setFlags(r, subFlags(a, b, 0, size));
  return mask(a - b, size);
}
function sbb(r, a, b, size) {
  const borrow = r[EFLAGS] & CF;
  setFlags(r, subFlags(a, b, borrow, size));
  return mask(a - b - borrow, size);
}
function logical(r, result, size) {
  setFlags(r, resultFlags(result, size));
  return mask(result, size);
}
function inc(r, a, size) {
  setFlags(r, addFlags(a, 1, 0, size), PF | AF | ZF | SF | OF);
  return mask(a + 1, size);
}
function dec(r, a, size) {
  setFlags(r, subFlags(a, 1, 0, size), PF | AF | ZF | SF | OF);
  return mask(a - 1, size);
}
function neg(r, a, size) {
  return sub(r, 0, a, size);
}
function imul(r, a, b, size) {
  const unused = 32 - size * 8;
  const low = Math.imul(a, b) << unused >> unused;
  setFlags(r, (a << unused >> unused) * (b << unused >> unused) === low ? 0 : CF | OF, CF | OF);
  return mask(low, size);
}
var ALU = { add: 0, or: 1, adc: 2, sbb: 3, and: 4, sub: 5, xor: 6, cmp: 7, test: 8 };
function alu(r, kind, a, b, size) {
  switch (kind) {
    case 0:
      return add(r, a, b, size);
    case 1:
      return logical(r, a | b, size);
    case 2:
      return adc(r, a, b, size);
    case 3:
      return sbb(r, a, b, size);
    case 4:
    case 8:
      return logical(r, a & b, size);
    case 6:
      return logical(r, a ^ b, size);
    default:
      return sub(r, a, b, size);
  }
}
var HOLDS = Uint16Array.from({ length: 4096 }, (_, flags) => {
  const is = (bit2) => (flags & bit2) !== 0;
  const less = is(SF) !== is(OF);
  const even = [is(OF), is(CF), is(ZF), is(CF | ZF), is(SF), is(PF), less, less || is(ZF)];
  return even.reduce((bits, holds, k) => bits | (holds ? 1 : 2) << 2 * k, 0);
});
function condition(flags, code) {
  return (HOLDS[flags & 4095] >> code & 1) !== 0;
}
function shl(r, value, count, size) {
  const bits = size * 8;
  const result = mask(value << count, size);
  const carry = count > bits ? 0 : value >>> bits - count & 1;
  const flags = resultFlags(result, size) | carry;
  setFlags(r, flags | ((flags >> 7 ^ carry) !== 0 ? OF : 0));
  return result;
}
function shr(r, value, count, size) {
  const before2 = mask(value, size);
  const result = before2 >>> count | 0;
  setFlags(r, resultFlags(result, size) | before2 >>> count - 1 & 1 | (count === 1 && (before2 & signBit(size)) !== 0 ? OF : 0));
  return result;
}
function sar(r, value, count, size) {
  const unused = 32 - size * 8;
  const wide = value << unused >> unused;
  const result = mask(wide >> count, size);
  setFlags(r, resultFlags(result, size) | wide >> count - 1 & 1);
  return result;
}
function rol(r, value, count, size) {
  const bits = size * 8;
  const turn2 = count & bits - 1;
  const before2 = mask(value, size);
  const result = turn2 === 0 ? before2 : mask(before2 << turn2 | before2 >>> bits - turn2, size);
  const carry = result & 1;
  setFlags(r, carry | ((result << 32 - bits >>> 31 ^ carry) !== 0 ? OF : 0), CF | OF);
  return result;
}
function ror(r, value, count, size) {
  const bits = size * 8;
  const turn2 = count & bits - 1;
  const before2 = mask(value, size);
  const result = turn2 === 0 ? before2 : mask(before2 >>> turn2 | before2 << bits - turn2, size);
  const top = result << 32 - bits;
  setFlags(r, top >>> 31 | ((top ^ top << 1) < 0 ? OF : 0), CF | OF);
  return result;
}
function rotateCarry(r, right, value, count, size) {
  const sign = signBit(size);
  let carry = r[EFLAGS] & CF;
  let result = mask(value, size);
  for (let steps2 = count % (size * 8 + 1); steps2 > 0; steps2--) {
    const out = right ? result & 1 : (result & sign) !== 0 ? 1 : 0;
    result = mask(right ? result >>> 1 | (carry !== 0 ? sign : 0) : result << 1 | carry, size);
    carry = out;
  }
  const top = (result & sign) !== 0;
  const other = right ? (result & sign >>> 1) !== 0 : carry !== 0;
  setFlags(r, carry | (top !== other ? OF : 0), CF | OF);
  return result;
}
function shift(r, kind, value, count, size) {
  switch (kind) {
    case 0:
      return rol(r, value, count, size);
    case 1:
      return ror(r, value, count, size);
    case 2:
      return rotateCarry(r, false, value, count, size);
    case 3:
      return rotateCarry(r, true, value, count, size);
    case 5:
      return shr(r, value, count, size);
    case 7:
      return sar(r, value, count, size);
    default:
      return shl(r, value, count, size);
  }
}

// src/cpu/flags386.ts
var SHR = 5;
var SAR = 7;
function shift386(r, kind, before2, result, count, size) {
  let flags = r[EFLAGS] & (CF | OF) | AF;
  const bits = size * 8;
  if (kind !== SAR && count > bits && count % bits === 0) {
    const out = kind === SHR ? (before2 & signBit(size)) !== 0 : (before2 & 1) !== 0;
    flags = out ? flags | CF : flags & ~CF;
  }
  if (kind !== SHR && kind !== SAR) {
    const top = (result & signBit(size)) !== 0;
    flags = top !== ((flags & CF) !== 0) ? flags | OF : flags & ~OF;
  }
  setFlags(r, flags, AF | CF | OF);
}
function bitTest386(r, value, index, size) {
  const bits = size * 8;
  const bit2 = (n) => n >= 0 && (value >>> n & 1) !== 0;
  const top = bit2(index - 1);
  const second = index === 0 ? bit2(bits - 1) : bit2(index - 2);
  setFlags(r, top !== second ? OF : 0, OF);
}
function unpacked386(r, sign, al, adjusts) {
  const flags = sign > 0 ? addFlags(al, adjusts ? 6 : 0, 0, 1) : subFlags(al, adjusts ? 6 : 0, 0, 1);
  setFlags(r, flags, PF | ZF | SF | OF);
}
function packed386(r, sign, al, correction) {
  setFlags(r, sign > 0 ? addFlags(al, correction, 0, 1) : subFlags(al, correction, 0, 1), OF);
}
function aad386(r, al, product) {
  setFlags(r, addFlags(al, product & 255, 0, 1) & (CF | AF | OF) | resultFlags(al + product & 255, 1), CF | PF | AF | ZF | SF | OF);
}

// src/cpu/instructions/bcd.ts
var packed = (sign) => (cpu) => {
  const { r } = cpu;
  const al = r[EAX] & 255;
  const carry = r[EFLAGS] & CF;
  let result = al;
  let flags = 0;
  if ((al & 15) > 9 || (r[EFLAGS] & AF) !== 0) {
    result += 6 * sign;
    flags = AF | (sign < 0 && (carry !== 0 || al < 6) ? CF : 0);
  }
  if (al > 153 || carry !== 0) {
    result += 96 * sign;
    flags |= CF;
  }
  cpu.setRegister(EAX, 1, result);
  setFlags(r, resultFlags(result & 255, 1) | flags, CF | PF | AF | ZF | SF | OF);
  if (cpu.is386) packed386(r, sign, al, (result - al) * sign);
};
var unpacked = (sign) => (cpu) => {
  const { r } = cpu;
  const al = r[EAX] & 255;
  const adjusts = (al & 15) > 9 || (r[EFLAGS] & AF) !== 0;
  if (adjusts) cpu.setRegister(EAX, 2, (r[EAX] & 65535) + sign * 262);
  cpu.setRegister(EAX, 1, r[EAX] & 15);
  setFlags(r, adjusts ? AF | CF : 0, AF | CF);
  if (cpu.is386) unpacked386(r, sign, al, adjusts);
};
var aam = (cpu, op) => {
  const base = op.a.value & 255;
  if (base === 0) return cpu.fault(DE);
  const al = cpu.r[EAX] & 255;
  cpu.setRegister(EAX, 2, Math.floor(al / base) << 8 | al % base);
  setFlags(cpu.r, resultFlags(al % base, 1), CF | PF | AF | ZF | SF | OF);
};
var aad = (cpu, op) => {
  const { r } = cpu;
  const al = r[EAX] & 255;
  const product = (r[EAX] >>> 8 & 255) * (op.a.value & 255);
  cpu.setRegister(EAX, 2, al + product & 255);
  setFlags(r, resultFlags(al + product & 255, 1), CF | PF | AF | ZF | SF | OF);
  if (cpu.is386) aad386(r, al, product);
};
var salc = (cpu) => cpu.setRegister(EAX, 1, (cpu.r[EFLAGS] & CF) !== 0 ? 255 : 0);
var BCD = [
  ["daa", packed(1)],
  ["das", packed(-1)],
  ["aaa", unpacked(1)],
  ["aas", unpacked(-1)],
  ["aam", aam],
  ["aad", aad],
  ["salc", salc]
];

// src/cpu/modes.ts
var CPL_3 = 96;
function cplOf(r) {
  return (r[SEG_ATTR + SS] & CPL_3) >> 5;
}
function isUser(r) {
  return (r[SEG_ATTR + SS] & CPL_3) === CPL_3;
}
function ioplOf(r) {
  return (r[EFLAGS] & IOPL) >> 12;
}
function inVirtual8086(r) {
  return (r[EFLAGS] & VM) !== 0;
}
function inRealMode(r) {
  return (r[CR0] & CR0_PE) === 0;
}
function inProtectedMode(r) {
  return (r[CR0] & CR0_PE) !== 0 && (r[EFLAGS] & VM) === 0;
}
function stackMask(r) {
  return (r[SEG_ATTR + SS] & ATTR_BIG) !== 0 ? -1 : 65535;
}

// src/cpu/undefined.ts
var ARITHMETIC_FLAGS = CF | PF | AF | ZF | SF | OF;
var NOTHING = { flags: 0, result: false };
var always = (flags, doc) => {
  const undefinedFlags = { flags, result: false };
  return { doc, of: () => undefinedFlags };
};
var rotate = { doc: "OF unless the count is 1", of: (count) => ({ flags: count > 1 ? OF : 0, result: false }) };
var shift2 = (carry) => ({
  doc: `AF; OF unless the count is 1${carry ? "; CF when the count reaches the width" : ""}`,
  of: (count, bits) => count === 0 ? NOTHING : { flags: AF | (count === 1 ? 0 : OF) | (carry && count >= bits ? CF : 0), result: false }
});
var doubleShift = {
  doc: "AF; OF unless the count is 1; everything when the count exceeds the width",
  of: (count, bits) => count === 0 ? NOTHING : count > bits ? { flags: ARITHMETIC_FLAGS, result: true } : { flags: AF | (count === 1 ? 0 : OF), result: false }
};
var scan = {
  doc: "CF, OF, SF, AF, PF; the destination when the source is 0",
  of: (_count, _bits, zero) => ({ flags: CF | OF | SF | AF | PF, result: zero })
};
var logical2 = always(AF, "AF");
var multiply = always(SF | ZF | AF | PF, "SF, ZF, AF, PF");
var divide = always(ARITHMETIC_FLAGS, "CF, OF, SF, ZF, AF, PF");
var bit = always(OF | SF | AF | PF, "OF, SF, AF, PF");
var UNDEFINED = {
  and: logical2,
  or: logical2,
  xor: logical2,
  test: logical2,
  mul: multiply,
  imul: multiply,
  div: divide,
  idiv: divide,
  bt: bit,
  bts: bit,
  btr: bit,
  btc: bit,
  bsf: scan,
  bsr: scan,
  rol: rotate,
  ror: rotate,
  rcl: rotate,
  rcr: rotate,
  shl: shift2(true),
  sal: shift2(true),
  shr: shift2(true),
  sar: shift2(false),
  shld: doubleShift,
  shrd: doubleShift,
  aaa: always(OF | SF | ZF | PF, "OF, SF, ZF, PF"),
  aas: always(OF | SF | ZF | PF, "OF, SF, ZF, PF"),
  aam: always(OF | AF | CF, "OF, AF, CF"),
  aad: always(OF | AF | CF, "OF, AF, CF"),
  daa: always(OF, "OF"),
  das: always(OF, "OF"),
  bswap: { doc: "the destination with a 16-bit operand", of: (_count, bits) => ({ flags: 0, result: bits === 16 }) }
};

// src/cpu/undefinedFlags.ts
function undefinedAfter({ row, a, b, c }, r) {
  const rule = row?.undefined ?? null;
  if (rule === null) return NOTHING;
  const by = c.kind !== 0 ? c : b;
  const count = (by.kind === IMM ? by.value : r[ECX]) & 31;
  const zero = b.kind === MEM || b.kind === REG && (b.size === 2 ? r[b.value] & 65535 : r[b.value]) === 0;
  return rule.of(count, a.size * 8, zero);
}
var FIXED_FLAGS = { kind: "fixed", seed: 0 };
function parseUndefinedFlags(text) {
  if (text === "fixed" || text === "zero") return { kind: text, seed: 0 };
  const seed = /^random:(\d{1,10})$/.exec(text);
  return seed === null || Number(seed[1]) > 4294967295 ? null : { kind: "random", seed: Number(seed[1]) | 0 };
}
function chooseFlags(choice, r, loose) {
  const defined = r[EFLAGS] & ~loose;
  r[EFLAGS] = choice.kind === "zero" ? defined : defined | scramble(choice.seed, r[EIP], defined & ARITHMETIC_FLAGS) & loose;
}
function scramble(seed, eip, flags) {
  let h = Math.imul(seed ^ 2654435769, 2246822507) ^ eip;
  h = Math.imul(h ^ h >>> 16, 2146121005) ^ flags;
  h = Math.imul(h ^ h >>> 15, 2221713035);
  return h ^ h >>> 16;
}

// src/cpu/debug.ts
var DR6_HITS = 15;
var DR6_BD = 1 << 13;
var DR6_BS = 1 << 14;
var DR6_BT = 1 << 15;
var DR7_GD = 1 << 13;
var DR7_LOCAL = 341;
var ON_EXECUTE = 0;
var ON_WRITE = 1;
var ON_IO = 2;
var LENGTHS = [1, 2, 8, 4];
function hits(r, linear, size, matches) {
  let found2 = 0;
  const dr7 = r[DR7];
  for (let n = 0; n < 4; n++) {
    if ((dr7 >> n * 2 & 3) === 0) continue;
    const control = dr7 >>> 16 + n * 4 & 15;
    if (!matches(control & 3)) continue;
    const length = (control & 3) === ON_EXECUTE ? 1 : LENGTHS[control >> 2];
    const start = (r[DR0 + n] & ~(length - 1)) >>> 0;
    if (start < (linear >>> 0) + size && linear >>> 0 < start + length) found2 |= 1 << n;
  }
  return found2;
}
function noteDataBreakpoints(cpu, linear, size, write) {
  if ((cpu.r[DR7] & 255) === 0 || cpu.stop !== 0) return;
  cpu.debugHits |= hits(cpu.r, linear, size, (rw) => rw === 3 || write && rw === ON_WRITE);
}
function noteIoBreakpoints(cpu, port, size) {
  const r = cpu.r;
  if ((r[DR7] & 255) === 0 || (r[CR4] & CR4_DE) === 0 || cpu.stop !== 0) return;
  cpu.debugHits |= hits(r, port, size, (rw) => rw === ON_IO);
}
function reportHits(r, found2) {
  r[DR6] = r[DR6] & ~DR6_HITS | found2;
}
function debugTrap(cpu, found2) {
  const r = cpu.r;
  reportHits(r, found2 & DR6_HITS);
  r[DR6] |= found2 & ~DR6_HITS;
  r[EVENT] = EVENT_VALID | EVENT_EXCEPTION | DB;
}
function executeWatched(cpu, op) {
  const r = cpu.r;
  const flags = r[EFLAGS];
  const shadow = r[SHADOW] & (SHADOW_STI | SHADOW_MOV_SS);
  const deferred = deferredHits(r);
  const armed = (r[DR7] & 255) !== 0;
  if (armed && (flags & RF) === 0 && (shadow & SHADOW_MOV_SS) === 0) {
    const found3 = hits(r, r[SEG_BASE + CS] + r[EIP] | 0, 1, (rw) => rw === ON_EXECUTE);
    if (found3 !== 0) {
      reportHits(r, found3);
      return cpu.fault(DB);
    }
  }
  const loose = cpu.undefinedFlags.kind === "fixed" ? 0 : undefinedAfter(op, r).flags;
  op.handler(cpu, op);
  if (cpu.stop !== 0) return;
  if (loose !== 0) chooseFlags(cpu.undefinedFlags, r, loose);
  r[EIP] = cpu.next;
  if (!cpu.keepsRf) r[EFLAGS] &= ~RF;
  const found2 = cpu.debugHits | deferred;
  r[SHADOW] &= ~(shadow | DR6_HITS << SHADOW_HITS_SHIFT);
  if ((r[SHADOW] & SHADOW_MOV_SS) !== 0) {
    r[SHADOW] |= found2 << SHADOW_HITS_SHIFT;
    return;
  }
  const step = (flags & TF) !== 0 && !cpu.switchedTask ? DR6_BS : 0;
  if ((r[EVENT] & EVENT_VALID) !== 0) r[SHADOW] |= found2 << SHADOW_HITS_SHIFT;
  else if ((found2 | step) !== 0) debugTrap(cpu, found2 | step);
}
function trapAfterInterrupt(cpu, hitsBefore) {
  if (hitsBefore !== 0 && (cpu.r[EVENT] & EVENT_VALID) === 0) debugTrap(cpu, hitsBefore);
}
function deferredHits(r) {
  return r[SHADOW] >> SHADOW_HITS_SHIFT & DR6_HITS;
}

// src/cpu/segmentation.ts
function selectorError(selector) {
  return selector & 65532;
}
function isNull(selector) {
  return (selector & 65532) === 0;
}
function attrOf(high) {
  return high >>> 8 & 61695;
}
function dplOf(attr) {
  return attr >> ATTR_DPL_SHIFT & 3;
}
function baseOf({ low, high }) {
  return low >>> 16 | (high & 255) << 16 | high & 4278190080;
}
function limitOf({ low, high }) {
  const limit2 = low & 65535 | high & 983040;
  return (attrOf(high) & ATTR_GRANULAR) !== 0 ? limit2 << 12 | 4095 : limit2;
}
function isCode(attr) {
  return (attr & (ATTR_SEGMENT | ATTR_CODE)) === (ATTR_SEGMENT | ATTR_CODE);
}
function isConforming(attr) {
  return (attr & ATTR_CONFORMING) !== 0;
}
function isWritableData(attr) {
  return (attr & (ATTR_SEGMENT | ATTR_CODE | ATTR_RW)) === (ATTR_SEGMENT | ATTR_RW);
}
function isReadable(attr) {
  return (attr & ATTR_SEGMENT) !== 0 && (attr & (ATTR_CODE | ATTR_RW)) !== ATTR_CODE;
}
function isOutside(attr, limit2, offset, size) {
  const first = offset >>> 0;
  const last = first + size - 1;
  if ((attr & (ATTR_CODE | ATTR_EXPAND_DOWN)) !== ATTR_EXPAND_DOWN) return last > limit2 >>> 0;
  return first <= limit2 >>> 0 || last > ((attr & ATTR_BIG) !== 0 ? 4294967295 : 65535);
}
function linearAddress(cpu, seg, offset, size, write) {
  const r = cpu.r;
  const attr = r[SEG_ATTR + seg];
  const readable = (attr & ATTR_PRESENT) !== 0 && (attr & (ATTR_CODE | ATTR_RW)) !== ATTR_CODE;
  const allowed = write ? (attr & (ATTR_PRESENT | ATTR_CODE | ATTR_RW)) === (ATTR_PRESENT | ATTR_RW) : readable;
  if (!allowed && !((attr & ATTR_PRESENT) !== 0 && inRealMode(r)) || isOutside(attr, r[SEG_LIMIT + seg], offset, size)) {
    cpu.fault(seg === SS ? SS_ : GP, 0);
    return 0;
  }
  const linear = r[SEG_BASE + seg] + offset | 0;
  if ((r[EFLAGS] & AC | r[DR7] & 255) !== 0) {
    if (misaligned(r, linear, size)) cpu.fault(AC_, 0);
    else noteDataBreakpoints(cpu, linear, size, write);
  }
  return linear;
}
function misaligned(r, linear, size) {
  return (linear & size - 1) !== 0 && (r[EFLAGS] & AC) !== 0 && (r[CR0] & CR0_AM) !== 0 && isUser(r);
}
function descriptorAddress(r, selector) {
  const local = (selector & 4) !== 0;
  if (local && (r[SEG_ATTR + LDTR] & ATTR_PRESENT) === 0) return null;
  if (!local && isNull(selector)) return null;
  const limit2 = local ? r[SEG_LIMIT + LDTR] : r[GDT_LIMIT];
  if ((selector & 65535 | 7) > limit2 >>> 0) return null;
  return (local ? r[SEG_BASE + LDTR] : r[GDT_BASE]) + (selector & 65528) | 0;
}
function findDescriptor(cpu, selector) {
  const at = descriptorAddress(cpu.r, selector);
  if (at === null) return null;
  const low = cpu.readSystem(at, 4);
  const high = cpu.readSystem(at + 4 | 0, 4);
  return { low, high };
}
var NO_DESCRIPTOR = { low: 0, high: 0 };
function readDescriptor(cpu, selector, vector = GP, ext = 0) {
  const descriptor = findDescriptor(cpu, selector);
  if (descriptor !== null) return descriptor;
  cpu.fault(vector, selectorError(selector) | ext);
  return NO_DESCRIPTOR;
}
function markAccessed(cpu, selector, descriptor) {
  if ((attrOf(descriptor.high) & ATTR_ACCESSED) === 0) setTypeBits(cpu, selector, ATTR_ACCESSED);
}
function setTypeBits(cpu, selector, bits) {
  const at = descriptorAddress(cpu.r, selector);
  if (at === null) return;
  const physical = cpu.translateSystem(at + 5 | 0, true);
  if (cpu.stop === 0) cpu.bus.walkOr(physical & ~3, bits << (physical & 3) * 8);
}
function clearTypeBits(cpu, selector, bits) {
  const at = descriptorAddress(cpu.r, selector);
  if (at === null) return;
  const rights = cpu.readSystem(at + 5 | 0, 1);
  cpu.writeSystem(at + 5 | 0, 1, rights & ~bits);
}
function setSegment(cpu, seg, selector, descriptor) {
  const r = cpu.r;
  const attr = attrOf(descriptor.high);
  r[SELECTOR + seg] = selector;
  r[SEG_BASE + seg] = baseOf(descriptor);
  r[SEG_LIMIT + seg] = limitOf(descriptor);
  r[SEG_ATTR + seg] = (attr & ATTR_SEGMENT) !== 0 ? attr | ATTR_ACCESSED : attr;
}
function setCodeSegment(cpu, selector, descriptor, cpl) {
  setSegment(cpu, CS, selector & 65532 | cpl, descriptor);
}
function setNullSegment(cpu, seg, selector) {
  cpu.r[SELECTOR + seg] = selector;
  cpu.r[SEG_ATTR + seg] = 0;
}
var VIRTUAL_8086_ATTR = 243;
var REAL_ATTR = 147;
function setVirtual8086Segment(cpu, seg, selector) {
  const r = cpu.r;
  r[SELECTOR + seg] = selector;
  r[SEG_BASE + seg] = selector << 4;
  r[SEG_LIMIT + seg] = 65535;
  r[SEG_ATTR + seg] = VIRTUAL_8086_ATTR;
}
function setRealSegment(cpu, seg, selector) {
  const r = cpu.r;
  if (inVirtual8086(r)) return setVirtual8086Segment(cpu, seg, selector);
  r[SELECTOR + seg] = selector;
  r[SEG_BASE + seg] = selector << 4;
  const attr = r[SEG_ATTR + seg];
  if (seg === CS || (attr & ATTR_PRESENT) === 0) r[SEG_ATTR + seg] = attr & (ATTR_BIG | ATTR_GRANULAR) | REAL_ATTR;
}
function dataSegmentFault(seg, selector, attr, cpl) {
  const rpl = selector & 3;
  const dpl = dplOf(attr);
  if (seg === SS) {
    if (!isWritableData(attr) || rpl !== cpl || dpl !== cpl) return GP;
    return (attr & ATTR_PRESENT) === 0 ? SS_ : 0;
  }
  if (!isReadable(attr)) return GP;
  const conforming = isCode(attr) && isConforming(attr);
  if (!conforming && (rpl > dpl || cpl > dpl)) return GP;
  return (attr & ATTR_PRESENT) === 0 ? NP : 0;
}
function loadSegment(cpu, seg, selector) {
  const r = cpu.r;
  if (!inProtectedMode(r)) return setRealSegment(cpu, seg, selector);
  if (isNull(selector)) return seg === SS ? cpu.fault(GP, 0) : setNullSegment(cpu, seg, selector);
  const descriptor = readDescriptor(cpu, selector);
  if (cpu.stop !== 0) return;
  const wrong = dataSegmentFault(seg, selector, attrOf(descriptor.high), cplOf(r));
  if (wrong !== 0) return cpu.fault(wrong, selectorError(selector));
  markAccessed(cpu, selector, descriptor);
  if (cpu.stop === 0) setSegment(cpu, seg, selector, descriptor);
}
function nullInaccessible(cpu, cpl, segments) {
  const r = cpu.r;
  for (const seg of segments) {
    const attr = r[SEG_ATTR + seg];
    if (isNull(r[SELECTOR + seg])) setNullSegment(cpu, seg, 0);
    else if ((attr & ATTR_PRESENT) !== 0 && !(isCode(attr) && isConforming(attr)) && dplOf(attr) < cpl) setNullSegment(cpu, seg, 0);
  }
}

// src/cpu/stack.ts
function currentStack(cpu, error) {
  const r = cpu.r;
  return {
    selector: r[SELECTOR + SS],
    descriptor: null,
    base: r[SEG_BASE + SS],
    limit: r[SEG_LIMIT + SS],
    attr: r[SEG_ATTR + SS],
    user: cplOf(r) === 3,
    error,
    esp: r[ESP]
  };
}
function innerStack(cpu, cpl, ext) {
  const r = cpu.r;
  const wide = (r[SEG_ATTR + TR] & 8) !== 0;
  const at = wide ? cpl * 8 + 4 : cpl * 4 + 2;
  if (at + (wide ? 5 : 3) > r[SEG_LIMIT + TR] >>> 0) {
    cpu.fault(TS_, selectorError(r[SELECTOR + TR]) | ext);
    return null;
  }
  const linear = r[SEG_BASE + TR] + at | 0;
  const esp = cpu.readSystem(linear, wide ? 4 : 2);
  const selector = cpu.readSystem(linear + (wide ? 4 : 2) | 0, 2);
  if (cpu.stop !== 0) return null;
  if (isNull(selector)) {
    cpu.fault(TS_, ext);
    return null;
  }
  const descriptor = readDescriptor(cpu, selector, TS_, ext);
  if (cpu.stop !== 0) return null;
  const attr = attrOf(descriptor.high);
  const wrong = dataSegmentFault(SS, selector, attr, cpl);
  if (wrong !== 0) {
    cpu.fault(wrong === GP ? TS_ : wrong, selectorError(selector) | ext);
    return null;
  }
  const mask2 = (attr & ATTR_BIG) !== 0 ? -1 : 65535;
  return {
    selector,
    descriptor,
    base: baseOf(descriptor),
    limit: limitOf(descriptor),
    attr,
    user: cpl === 3,
    error: selectorError(selector) | ext,
    esp: r[ESP] & ~mask2 | esp & mask2
  };
}
function pushOn(cpu, stack, size, value) {
  if (cpu.stop !== 0) return;
  const mask2 = (stack.attr & ATTR_BIG) !== 0 ? -1 : 65535;
  const offset = stack.esp - size & mask2;
  if ((stack.attr & ATTR_PRESENT) === 0 || isOutside(stack.attr, stack.limit, offset, size)) return cpu.fault(SS_, stack.error);
  if (stack.user && misaligned(cpu.r, stack.base + offset | 0, size)) return cpu.fault(AC_, 0);
  cpu.writeAs(stack.base + offset | 0, size, value, stack.user);
  stack.esp = stack.esp & ~mask2 | offset;
}
function touchStack(cpu, stack) {
  if (stack.descriptor !== null && cpu.stop === 0) markAccessed(cpu, stack.selector, stack.descriptor);
}
function commitStack(cpu, stack) {
  if (stack.descriptor !== null) setSegment(cpu, SS, stack.selector, stack.descriptor);
  cpu.r[ESP] = stack.esp;
}

// src/cpu/bus.ts
var STOP_FAULT = 1;
var STOP_PARK = 2;
var STOP_VIOLATION = 3;

// src/cpu/paging.ts
var P = 1 << 0;
var W = 1 << 1;
var U = 1 << 2;
var A = 1 << 5;
var D = 1 << 6;
var PS = 1 << 7;
var G = 1 << 8;
var NO_FETCH = 1 << 11;
var RSVD = 1 << 3;
var FETCH = 1 << 4;
var XD = 1 << 31;
var RESERVED_4M = 4186112;
var RESERVED_2M = 2088960;
var RESERVED_PDPTE = 486;
var NOT_CACHED = 0;
var CACHED_PAGE = 1;
var CACHED_DIRECTORY = 2;
var Walk = class {
  /** The translation; 0: the access is refused. */
  entry = 0;
  /** Error code of the #PF where it is. */
  error = 0;
  /** The directory entry, where it led to a table: what a paging-structure cache may keep. 0: it did not. */
  pde = 0;
  pdeHigh = 0;
};
function translate(cpu, linear, write, user, fetch) {
  const r = cpu.r;
  if ((r[CR0] & CR0_PG) === 0) return linear;
  const { bus, walk: walk3 } = cpu;
  const access = (write ? W : 0) | (user ? U : 0) | (fetch ? FETCH : 0);
  const found2 = bus.lookup(linear, access);
  if (cpu.stop !== 0) return 0;
  if (found2 === CACHED_PAGE) {
    const entry = bus.low;
    return denied(r, entry, access) ? refuse(cpu, linear, errorOf(r, access) | P) : entry & ~4095 | linear & 4095;
  }
  walk3.pde = found2 === CACHED_DIRECTORY ? bus.low : 0;
  walk3.pdeHigh = found2 === CACHED_DIRECTORY ? bus.high : 0;
  walkTables(r, bus, cpu, linear, access, found2 === CACHED_DIRECTORY, walk3);
  if (cpu.stop !== 0) return 0;
  if (walk3.entry === 0) return refuse(cpu, linear, walk3.error);
  bus.fill(linear, access, walk3);
  return cpu.stop !== 0 ? 0 : walk3.entry & ~4095 | linear & 4095;
}
function refuse(cpu, linear, error) {
  if (cpu.stop === 0) cpu.faultAddress = linear;
  cpu.fault(PF_, error);
  return 0;
}
function errorOf(r, access) {
  return (r[CR4] & CR4_PAE) !== 0 && (r[MSR_EFER] & EFER_NXE) !== 0 ? access : access & ~FETCH;
}
function denied(r, rights, access) {
  if ((access & FETCH) !== 0 && (rights & NO_FETCH) !== 0) return true;
  if ((access & U) !== 0) return (access & ~rights & (U | W)) !== 0;
  return (access & ~rights & W) !== 0 && (r[CR0] & CR0_WP) !== 0;
}
function walkTables(r, port, gate, linear, access, cached, out) {
  const pde = out.pde;
  const pdeHigh = out.pdeHigh;
  const levels = (r[CR4] & CR4_PAE) !== 0 ? walkPae : walk;
  out.entry = 0;
  while (!levels(r, port, gate, linear, access, cached, out) && gate.stop === 0) {
    out.pde = pde;
    out.pdeHigh = pdeHigh;
  }
}
function walk(r, port, gate, linear, access, cached, out) {
  const error = errorOf(r, access);
  const directory = (r[CR3] & ~4095) + (linear >>> 22) * 4;
  const pde = cached ? out.pde : port.walk32(directory);
  out.pde = 0;
  if (gate.stop !== 0) return true;
  if ((pde & P) === 0) return reject(out, error);
  const marks = (access & W) !== 0 ? A | D : A;
  if ((pde & PS) !== 0 && (r[CR4] & CR4_PSE) !== 0) {
    if ((pde & RESERVED_4M) !== 0) return reject(out, error | P | RSVD);
    if (denied(r, pde & ~NO_FETCH, access)) return reject(out, error | P);
    if ((pde & marks) !== marks && !port.walkMark(directory, marks, pde)) return false;
    out.entry = entryOf(r, pde & 4290772992 | linear & 4190208, pde, pde, access, PS);
    return true;
  }
  const table = (pde & ~4095) + (linear >>> 12 & 1023) * 4;
  const pte = port.walk32(table);
  if (gate.stop !== 0) return true;
  out.pde = pde;
  if ((pte & P) === 0) return reject(out, error);
  if (denied(r, pde & pte & ~NO_FETCH, access)) return reject(out, error | P);
  if ((pde & A) === 0 && !port.walkMark(directory, A, pde)) return false;
  if ((pte & marks) !== marks && !port.walkMark(table, marks, pte)) return false;
  out.entry = entryOf(r, pte & ~4095, pde & pte, pte, access, 0);
  return true;
}
function walkPae(r, port, gate, linear, access, cached, out) {
  const nx = (r[MSR_EFER] & EFER_NXE) !== 0;
  const error = errorOf(r, access);
  const reservedHigh = nx ? ~XD : -1;
  const pdpte = r[PDPTE + (linear >>> 30) * 2];
  if (!cached && (pdpte & P) === 0) return reject(out, error);
  const directory = (pdpte & ~4095) + (linear >>> 21 & 511) * 8;
  const pde = cached ? out.pde : port.walk64(directory);
  const pdeHigh = cached ? out.pdeHigh : port.high;
  out.pde = 0;
  if (gate.stop !== 0) return true;
  if ((pde & P) === 0) return reject(out, error);
  const marks = (access & W) !== 0 ? A | D : A;
  const large = (pde & PS) !== 0;
  if ((pdeHigh & reservedHigh) !== 0 || large && (pde & RESERVED_2M) !== 0) return reject(out, error | P | RSVD);
  if (large) {
    const noFetch2 = (pdeHigh & XD) !== 0 ? NO_FETCH : 0;
    if (denied(r, pde & ~NO_FETCH | noFetch2, access)) return reject(out, error | P);
    if ((pde & marks) !== marks && !port.walkMark(directory, marks, pde)) return false;
    out.entry = entryOf(r, pde & 4292870144 | linear & 2093056, pde, pde, access, noFetch2 | PS);
    return true;
  }
  const table = (pde & ~4095) + (linear >>> 12 & 511) * 8;
  const pte = port.walk64(table);
  const pteHigh = port.high;
  if (gate.stop !== 0) return true;
  out.pde = pde;
  out.pdeHigh = pdeHigh;
  if ((pte & P) === 0) return reject(out, error);
  if ((pteHigh & reservedHigh) !== 0) return reject(out, error | P | RSVD);
  const noFetch = ((pdeHigh | pteHigh) & XD) !== 0 ? NO_FETCH : 0;
  if (denied(r, pde & pte & ~NO_FETCH | noFetch, access)) return reject(out, error | P);
  if ((pde & A) === 0 && !port.walkMark(directory, A, pde)) return false;
  if ((pte & marks) !== marks && !port.walkMark(table, marks, pte)) return false;
  out.entry = entryOf(r, pte & ~4095, pde & pte, pte, access, noFetch);
  return true;
}
function reject(out, error) {
  out.error = error;
  return true;
}
function entryOf(r, frame, both, last, access, more) {
  const dirty = (access & W) !== 0 ? D : last & D;
  const global = (r[CR4] & CR4_PGE) !== 0 ? last & G : 0;
  return frame & ~4095 | P | both & (W | U | A) | dirty | global | more;
}
function readPdptes(cpu, cr3) {
  const entries = new Int32Array(8);
  cpu.bus.fence();
  for (let n = 0; n < 4; n++) {
    const low = cpu.bus.read64((cr3 & ~31) + n * 8);
    const high = cpu.bus.high;
    if (cpu.stop !== 0) return null;
    if ((low & P) !== 0 && ((low & RESERVED_PDPTE) !== 0 || high !== 0)) {
      cpu.fault(GP, 0);
      return null;
    }
    entries[n * 2] = low;
    entries[n * 2 + 1] = high;
  }
  return entries;
}

// src/cpu/taskSwitch.ts
var TSS_16 = 1;
var TSS_32 = 9;
var BUSY = 2;
var LIMIT_16 = 43;
var LIMIT_32 = 103;
function gateTask(cpu, selector, vector, ext) {
  const error = selectorError(selector) | ext;
  const descriptor = (selector & 4) === 0 ? readDescriptor(cpu, selector, vector, ext) : null;
  if (descriptor === null) cpu.fault(vector, error);
  if (cpu.stop !== 0 || descriptor === null) return null;
  const attr = attrOf(descriptor.high);
  const type = attr & 31;
  if (type !== TSS_16 && type !== TSS_32) cpu.fault(vector, error);
  else if ((attr & ATTR_PRESENT) === 0) cpu.fault(NP, error);
  return cpu.stop !== 0 ? null : descriptor;
}
function returnToTask(cpu, eip, flags) {
  const r = cpu.r;
  const selector = cpu.readSystem(r[SEG_BASE + TR], 2);
  if (cpu.stop !== 0) return;
  const error = selectorError(selector);
  const descriptor = (selector & 4) === 0 ? findDescriptor(cpu, selector) : null;
  if (cpu.stop !== 0) return;
  const attr = descriptor === null ? 0 : attrOf(descriptor.high);
  const type = attr & 31;
  if (descriptor === null || type !== (TSS_16 | BUSY) && type !== (TSS_32 | BUSY)) return cpu.fault(TS_, error);
  if ((attr & ATTR_PRESENT) === 0) return cpu.fault(NP, error);
  switchTask(cpu, { kind: "return", selector, descriptor, ext: 0, eip, eflags: flags, error: null });
}
var saved = new Int32Array(REGISTER_WORDS);
function switchTask(cpu, to) {
  const r = cpu.r;
  const wide = (attrOf(to.descriptor.high) & 8) !== 0;
  const oldWide = (r[SEG_ATTR + TR] & 8) !== 0;
  const limit2 = limitOf(to.descriptor) >>> 0;
  const error = selectorError(to.selector) | to.ext;
  if (limit2 < (wide ? LIMIT_32 : LIMIT_16)) return cpu.fault(TS_, error);
  if (r[SEG_LIMIT + TR] >>> 0 < (oldWide ? LIMIT_32 : LIMIT_16)) return cpu.fault(TS_, selectorError(r[SELECTOR + TR]) | to.ext);
  const base = r[SEG_BASE + TR];
  saved.set(r);
  cpu.translateSystem(base + (oldWide ? LIMIT_32 : LIMIT_16) | 0, true);
  if (cpu.stop !== 0) return;
  writeOldState(cpu, base, oldWide, to);
  setSegment(cpu, TR, to.selector, to.descriptor);
  const start = r[SEG_BASE + TR];
  const state = wide ? readState32(cpu, start) : readState16(cpu, start);
  if ((to.kind === "call" || to.kind === "interrupt") && cpu.stop === 0) cpu.writeSystem(start, 2, saved[SELECTOR + TR]);
  if (to.kind !== "return" && cpu.stop === 0) setTypeBits(cpu, to.selector, BUSY);
  if ((to.kind === "jump" || to.kind === "return") && cpu.stop === 0) clearTypeBits(cpu, saved[SELECTOR + TR], BUSY);
  const pdptes = wide && (r[CR0] & CR0_PG) !== 0 && (r[CR4] & CR4_PAE) !== 0 && cpu.stop === 0 ? readPdptes(cpu, state.cr3) : null;
  if (cpu.stop !== 0) {
    r.set(saved);
    return;
  }
  r[SEG_ATTR + TR] |= BUSY;
  loadState(cpu, state, wide, to.kind);
  if (pdptes !== null) r.set(pdptes, PDPTE);
  r[EVENT] &= ~(15 << EVENT_LENGTH_SHIFT);
  cpu.keepsRf = true;
  cpu.switchedTask = true;
  loadSegments(cpu, state, to.ext);
  if (cpu.stop === 0 && to.error !== null) pushError(cpu, to.error, wide ? 4 : 2, to.ext);
  if (cpu.stop === 0 && state.eip >>> 0 > r[SEG_LIMIT + CS] >>> 0) cpu.fault(GP, to.ext);
  const reloads = wide && (r[CR0] & CR0_PG) !== 0;
  if (reloads) cpu.bus.gateInvalidation();
  if (cpu.stop !== 0 && cpu.stop !== STOP_FAULT) {
    r.set(saved);
    return;
  }
  if (reloads) cpu.bus.invalidateTlb(false);
  if (cpu.stop !== 0) return;
  r[EVENT] = 0;
  if (state.trap) debugTrap(cpu, DR6_BT);
}
var SEGMENTS = [ES, CS, SS, DS, FS, GS];
function writeOldState(cpu, base, wide, to) {
  const r = cpu.r;
  const write = (offset, size, value) => cpu.writeSystem(base + offset | 0, size, value);
  if (wide) {
    write(32, 4, to.eip);
    write(36, 4, to.eflags);
    for (let n = 0; n < 8; n++) write(40 + n * 4, 4, r[EAX + n]);
    for (let n = 0; n < 6; n++) write(72 + n * 4, 2, r[SELECTOR + SEGMENTS[n]]);
  } else {
    write(14, 2, to.eip & 65535);
    write(16, 2, to.eflags & 65535);
    for (let n = 0; n < 8; n++) write(18 + n * 2, 2, r[EAX + n] & 65535);
    for (let n = 0; n < 4; n++) write(34 + n * 2, 2, r[SELECTOR + SEGMENTS[n]]);
  }
}
function readState32(cpu, base) {
  const read = (offset, size) => cpu.readSystem(base + offset | 0, size);
  return {
    cr3: read(28, 4),
    eip: read(32, 4),
    eflags: read(36, 4),
    general: [0, 1, 2, 3, 4, 5, 6, 7].map((n) => read(40 + n * 4, 4)),
    segments: [0, 1, 2, 3, 4, 5].map((n) => read(72 + n * 4, 2)),
    ldt: read(96, 2),
    trap: (read(100, 2) & 1) !== 0
  };
}
function readState16(cpu, base) {
  const read = (offset) => cpu.readSystem(base + offset | 0, 2);
  return {
    cr3: 0,
    eip: read(14),
    eflags: read(16),
    // The upper halves are undefined; the 386 and its successors fill them with ones.
    general: [0, 1, 2, 3, 4, 5, 6, 7].map((n) => read(18 + n * 2) | 4294901760),
    segments: [...[0, 1, 2, 3].map((n) => read(34 + n * 2)), 0, 0],
    ldt: read(42),
    trap: false
  };
}
function loadState(cpu, state, wide, kind) {
  const r = cpu.r;
  const nested = kind === "call" || kind === "interrupt";
  r[EIP] = state.eip;
  r[EFLAGS] = state.eflags & cpu.flagsMask | 2 | (nested ? NT : 0);
  for (let n = 0; n < 8; n++) r[EAX + n] = state.general[n];
  if (wide && (r[CR0] & CR0_PG) !== 0) r[CR3] = state.cr3;
  r[CR0] |= CR0_TS;
  r[DR7] &= ~DR7_LOCAL;
  const virtual = (r[EFLAGS] & VM) !== 0;
  for (let n = 0; n < 6; n++) {
    r[SELECTOR + SEGMENTS[n]] = state.segments[n];
    r[SEG_ATTR + SEGMENTS[n]] = 0;
  }
  r[SEG_ATTR + SS] = (virtual ? 3 : state.segments[1] & 3) << 5;
  r[SELECTOR + LDTR] = state.ldt;
  r[SEG_ATTR + LDTR] = 0;
}
function loadSegments(cpu, state, ext) {
  const r = cpu.r;
  if (!isNull(state.ldt)) {
    const error = selectorError(state.ldt) | ext;
    const descriptor = (state.ldt & 4) === 0 ? findDescriptor(cpu, state.ldt) : null;
    if (cpu.stop !== 0) return;
    if (descriptor === null || (attrOf(descriptor.high) & 31) !== 2 || (attrOf(descriptor.high) & ATTR_PRESENT) === 0) return cpu.fault(TS_, error);
    setSegment(cpu, LDTR, state.ldt, descriptor);
  }
  if ((r[EFLAGS] & VM) !== 0) {
    for (let n = 0; n < 6; n++) setVirtual8086Segment(cpu, SEGMENTS[n], state.segments[n]);
    return;
  }
  const [es, cs, ss, ds, fs, gs] = state.segments;
  const cpl = cplOf(r);
  loadCode(cpu, cs, cpl, ext);
  if (cpu.stop === 0) loadData(cpu, SS, ss, cpl, ext);
  for (const [seg, selector] of [[DS, ds], [ES, es], [FS, fs], [GS, gs]]) if (cpu.stop === 0) loadData(cpu, seg, selector, cpl, ext);
}
function loadCode(cpu, selector, cpl, ext) {
  const error = selectorError(selector) | ext;
  if (isNull(selector)) return cpu.fault(TS_, error);
  const descriptor = readDescriptor(cpu, selector, TS_, ext);
  if (cpu.stop !== 0) return;
  const attr = attrOf(descriptor.high);
  if (!isCode(attr) || (isConforming(attr) ? dplOf(attr) > cpl : dplOf(attr) !== cpl)) return cpu.fault(TS_, error);
  if ((attr & ATTR_PRESENT) === 0) return cpu.fault(NP, error);
  markAccessed(cpu, selector, descriptor);
  if (cpu.stop === 0) setSegment(cpu, CS, selector, descriptor);
}
function loadData(cpu, seg, selector, cpl, ext) {
  if (isNull(selector)) {
    if (seg === SS) cpu.fault(TS_, selectorError(selector) | ext);
    else setNullSegment(cpu, seg, selector);
    return;
  }
  const descriptor = readDescriptor(cpu, selector, TS_, ext);
  if (cpu.stop !== 0) return;
  const wrong = dataSegmentFault(seg, selector, attrOf(descriptor.high), cpl);
  if (wrong !== 0) return cpu.fault(wrong === GP ? TS_ : wrong, selectorError(selector) | ext);
  markAccessed(cpu, selector, descriptor);
  if (cpu.stop === 0) setSegment(cpu, seg, selector, descriptor);
}
function pushError(cpu, error, size, ext) {
  const stack = currentStack(cpu, ext);
  pushOn(cpu, stack, size, error);
  if (cpu.stop === 0) cpu.r[ESP] = stack.esp;
}

// src/cpu/farTransfer.ts
var CALL_GATE_16 = 4;
var TASK_GATE = 5;
var CALL_GATE_32 = 12;
var ANY_LEVEL = 3541;
function farTransfer(cpu, call4, selector, offset, size) {
  const r = cpu.r;
  if (!inProtectedMode(r)) return transferReal(cpu, call4, selector, offset, size);
  if (isNull(selector)) return cpu.fault(GP, 0);
  const descriptor = readDescriptor(cpu, selector);
  if (cpu.stop !== 0) return;
  const attr = attrOf(descriptor.high);
  const error = selectorError(selector);
  const cpl = cplOf(r);
  if (isCode(attr)) {
    const allowed = isConforming(attr) ? dplOf(attr) <= cpl : (selector & 3) <= cpl && dplOf(attr) === cpl;
    if (!allowed) return cpu.fault(GP, error);
    if ((attr & ATTR_PRESENT) === 0) return cpu.fault(NP, error);
    return enterCode(cpu, call4 ? currentStack(cpu, 0) : null, selector, descriptor, offset, size);
  }
  const type = attr & 31;
  const system = type === CALL_GATE_16 || type === CALL_GATE_32 || type === TASK_GATE || type === TSS_16 || type === TSS_32;
  if (!system || dplOf(attr) < cpl || dplOf(attr) < (selector & 3)) return cpu.fault(GP, error);
  if ((attr & ATTR_PRESENT) === 0) return cpu.fault(NP, error);
  if (type === CALL_GATE_16 || type === CALL_GATE_32) return throughCallGate(cpu, call4, descriptor, type === CALL_GATE_32);
  const kind = call4 ? "call" : "jump";
  const target = type === TASK_GATE ? descriptor.low >>> 16 : selector;
  const task = type === TASK_GATE ? gateTask(cpu, target, GP, 0) : descriptor;
  if (task === null) return;
  switchTask(cpu, { kind, selector: target, descriptor: task, ext: 0, eip: cpu.next, eflags: r[EFLAGS], error: null });
  cpu.next = r[EIP];
}
function transferReal(cpu, call4, selector, offset, size) {
  const r = cpu.r;
  const stack = currentStack(cpu, 0);
  if (call4) {
    pushOn(cpu, stack, size, r[SELECTOR + CS]);
    pushOn(cpu, stack, size, cpu.next);
  }
  if (cpu.stop === 0 && offset >>> 0 > (inVirtual8086(r) ? 65535 : r[SEG_LIMIT + CS] >>> 0)) cpu.fault(GP, 0);
  if (cpu.stop !== 0) return;
  commitStack(cpu, stack);
  setRealSegment(cpu, CS, selector);
  cpu.next = offset;
  cpu.bus.branch();
}
function enterCode(cpu, stack, selector, descriptor, offset, size) {
  const r = cpu.r;
  if (stack !== null) {
    pushOn(cpu, stack, size, r[SELECTOR + CS]);
    pushOn(cpu, stack, size, cpu.next);
  }
  if (cpu.stop === 0 && offset >>> 0 > limitOf(descriptor) >>> 0) cpu.fault(GP, 0);
  if (cpu.stop === 0) markAccessed(cpu, selector, descriptor);
  if (cpu.stop !== 0) return;
  if (stack !== null) commitStack(cpu, stack);
  setCodeSegment(cpu, selector, descriptor, cplOf(r));
  cpu.next = offset;
  cpu.bus.branch();
}
function throughCallGate(cpu, call4, gate, wide) {
  const r = cpu.r;
  const size = wide ? 4 : 2;
  const selector = gate.low >>> 16;
  const offset = wide ? gate.low & 65535 | gate.high & ~65535 : gate.low & 65535;
  if (isNull(selector)) return cpu.fault(GP, 0);
  const descriptor = readDescriptor(cpu, selector);
  if (cpu.stop !== 0) return;
  const attr = attrOf(descriptor.high);
  const error = selectorError(selector);
  const cpl = cplOf(r);
  const dpl = dplOf(attr);
  if (!isCode(attr) || dpl > cpl || !call4 && !isConforming(attr) && dpl !== cpl) return cpu.fault(GP, error);
  if ((attr & ATTR_PRESENT) === 0) return cpu.fault(NP, error);
  if (!call4 || isConforming(attr) || dpl === cpl)
    return enterCode(cpu, call4 ? currentStack(cpu, 0) : null, selector, descriptor, offset, size);
  const stack = innerStack(cpu, dpl, 0);
  if (stack === null) return;
  const count = gate.high & 31;
  const parameters = [];
  for (let n = 0; n < count; n++) parameters.push(cpu.readStack(n * size, size));
  pushOn(cpu, stack, size, r[SELECTOR + SS]);
  pushOn(cpu, stack, size, r[ESP]);
  for (let n = count - 1; n >= 0; n--) pushOn(cpu, stack, size, parameters[n]);
  pushOn(cpu, stack, size, r[SELECTOR + CS]);
  pushOn(cpu, stack, size, cpu.next);
  if (cpu.stop === 0 && offset >>> 0 > limitOf(descriptor) >>> 0) cpu.fault(GP, 0);
  touchStack(cpu, stack);
  if (cpu.stop === 0) markAccessed(cpu, selector, descriptor);
  if (cpu.stop !== 0) return;
  commitStack(cpu, stack);
  setCodeSegment(cpu, selector, descriptor, dpl);
  cpu.next = offset;
  cpu.bus.branch();
}
function returnSegment(cpu, selector) {
  if (isNull(selector)) {
    cpu.fault(GP, 0);
    return null;
  }
  const descriptor = readDescriptor(cpu, selector);
  if (cpu.stop !== 0) return null;
  const attr = attrOf(descriptor.high);
  const rpl = selector & 3;
  const allowed = isCode(attr) && rpl >= cplOf(cpu.r) && (isConforming(attr) ? dplOf(attr) <= rpl : dplOf(attr) === rpl);
  if (!allowed) cpu.fault(GP, selectorError(selector));
  else if ((attr & ATTR_PRESENT) === 0) cpu.fault(NP, selectorError(selector));
  else markAccessed(cpu, selector, descriptor);
  return cpu.stop !== 0 ? null : descriptor;
}
function farReturn(cpu, size, extra) {
  const r = cpu.r;
  const selector = cpu.readStack(size, 2);
  const offset = cpu.readStack(0, size);
  if (cpu.stop !== 0) return;
  if (!inProtectedMode(r)) {
    if (offset >>> 0 > (inVirtual8086(r) ? 65535 : r[SEG_LIMIT + CS] >>> 0)) return cpu.fault(GP, 0);
    r[ESP] = cpu.espAbove(2 * size + extra);
    setRealSegment(cpu, CS, selector);
    cpu.next = offset;
    return cpu.bus.branch();
  }
  const descriptor = returnSegment(cpu, selector);
  if (descriptor === null) return;
  if ((selector & 3) === cplOf(r)) {
    if (offset >>> 0 > limitOf(descriptor) >>> 0) return cpu.fault(GP, 0);
    r[ESP] = cpu.espAbove(2 * size + extra);
    setCodeSegment(cpu, selector, descriptor, selector & 3);
    cpu.next = offset;
    return cpu.bus.branch();
  }
  returnOutward(cpu, selector, descriptor, offset, size, 2 * size + extra, extra, null);
}
function returnOutward(cpu, selector, descriptor, offset, size, above, extra, flags) {
  const r = cpu.r;
  const cpl = selector & 3;
  const esp = cpu.readStack(above, size);
  const ss = cpu.readStack(above + size, size) & 65535;
  if (cpu.stop !== 0) return;
  if (isNull(ss)) return cpu.fault(GP, 0);
  const stack = readDescriptor(cpu, ss);
  if (cpu.stop !== 0) return;
  const wrong = dataSegmentFault(SS, ss, attrOf(stack.high), cpl);
  if (wrong !== 0) return cpu.fault(wrong === SS_ ? SS_ : GP, selectorError(ss));
  markAccessed(cpu, ss, stack);
  if (cpu.stop === 0 && offset >>> 0 > limitOf(descriptor) >>> 0) cpu.fault(GP, 0);
  if (flags !== null && cpu.stop === 0) cpu.bus.serialize();
  if (cpu.stop !== 0) return;
  if (flags !== null) r[EFLAGS] = flags;
  setCodeSegment(cpu, selector, descriptor, cpl);
  setSegment(cpu, SS, ss, stack);
  const mask2 = stackMask(r);
  r[ESP] = r[ESP] & ~mask2 | esp + extra & mask2;
  nullInaccessible(cpu, cpl, [ES, FS, GS, DS]);
  cpu.next = offset;
  cpu.bus.branch();
}
function interruptReturn(cpu, size) {
  const r = cpu.r;
  cpu.keepsRf = true;
  if (inProtectedMode(r) && (r[EFLAGS] & NT) !== 0) {
    cpu.bus.serialize();
    if (cpu.stop === 0) returnToTask(cpu, cpu.next, r[EFLAGS] & ~NT);
    cpu.next = r[EIP];
    return;
  }
  const virtual = inVirtual8086(r);
  if (virtual && ioplOf(r) < 3 && ((r[CR4] & CR4_VME) === 0 || size === 4)) return cpu.fault(GP, 0);
  const popped = cpu.readStack(2 * size, size);
  const selector = cpu.readStack(size, size) & 65535;
  const offset = cpu.readStack(0, size);
  if (cpu.stop !== 0) return;
  if (virtual || inRealMode(r)) return returnReal(cpu, size, selector, offset, popped);
  if (size === 4 && (popped & VM) !== 0 && cplOf(r) === 0) return returnToVirtual8086(cpu, selector, offset, popped);
  const descriptor = returnSegment(cpu, selector);
  if (descriptor === null) return;
  const flags = returnFlags(cpu, popped, size);
  if ((selector & 3) !== cplOf(r)) return returnOutward(cpu, selector, descriptor, offset, size, 3 * size, 0, flags);
  if (offset >>> 0 > limitOf(descriptor) >>> 0) return cpu.fault(GP, 0);
  cpu.bus.serialize();
  if (cpu.stop !== 0) return;
  r[ESP] = cpu.espAbove(3 * size);
  r[EFLAGS] = flags;
  setCodeSegment(cpu, selector, descriptor, selector & 3);
  cpu.next = offset;
  cpu.bus.branch();
}
function returnFlags(cpu, popped, size) {
  const r = cpu.r;
  const cpl = cplOf(r);
  let loaded = ANY_LEVEL | NT;
  if (size === 4) loaded |= RF | AC | ID;
  if (cpl <= ioplOf(r)) loaded |= IF;
  if (cpl === 0) loaded |= IOPL | (size === 4 ? VIF | VIP : 0);
  return mergeFlags(cpu, popped, loaded);
}
function mergeFlags(cpu, popped, loaded) {
  const mask2 = loaded & cpu.flagsMask;
  return cpu.r[EFLAGS] & ~mask2 | popped & mask2 | 2;
}
function returnReal(cpu, size, selector, offset, popped) {
  const r = cpu.r;
  const virtual = inVirtual8086(r);
  if (offset >>> 0 > (virtual ? 65535 : r[SEG_LIMIT + CS] >>> 0)) return cpu.fault(GP, 0);
  let loaded = ANY_LEVEL | NT | (size === 4 ? RF | AC | ID : 0);
  if (!virtual) loaded |= IF | IOPL;
  else if (ioplOf(r) === 3) loaded |= IF;
  else if ((popped & TF) !== 0 || (popped & IF) !== 0 && (r[EFLAGS] & VIP) !== 0) return cpu.fault(GP, 0);
  let flags = mergeFlags(cpu, popped, loaded);
  if (virtual && ioplOf(r) < 3) flags = flags & ~VIF | ((popped & IF) !== 0 ? VIF : 0);
  cpu.bus.serialize();
  if (cpu.stop !== 0) return;
  r[ESP] = cpu.espAbove(3 * size);
  r[EFLAGS] = flags;
  setRealSegment(cpu, CS, selector);
  cpu.next = offset;
  cpu.bus.branch();
}
function returnToVirtual8086(cpu, selector, offset, popped) {
  const r = cpu.r;
  const esp = cpu.readStack(12, 4);
  const segments = [SS, ES, DS, FS, GS].map((seg, n) => [seg, cpu.readStack(16 + n * 4, 4) & 65535]);
  if (cpu.stop === 0 && offset >>> 0 > 65535) cpu.fault(GP, 0);
  cpu.bus.serialize();
  if (cpu.stop !== 0) return;
  r[EFLAGS] = mergeFlags(cpu, popped, -1);
  r[ESP] = esp;
  setVirtual8086Segment(cpu, CS, selector);
  for (const [seg, value] of segments) setVirtual8086Segment(cpu, seg, value);
  cpu.next = offset;
  cpu.bus.branch();
}

// src/cpu/isa.ts
var ALU2 = ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"];
var SHIFTS = ["rol", "ror", "rcl", "rcr", "shl", "shr", "sal", "sar"];
var CONDITIONS = ["o", "no", "b", "nb", "z", "nz", "be", "nbe", "s", "ns", "p", "np", "l", "nl", "le", "nle"];
var hex2 = (value) => value.toString(16).padStart(2, "0");
var TEXT = [
  ...ALU2.flatMap((name, k) => {
    const lock = name === "cmp" ? "" : " lock";
    return [
      `${name} ${hex2(k * 8)} r Eb,Gb${lock}`,
      `${name} ${hex2(k * 8 + 1)} r Ev,Gv${lock}`,
      `${name} ${hex2(k * 8 + 2)} r Gb,Eb`,
      `${name} ${hex2(k * 8 + 3)} r Gv,Ev`,
      `${name} ${hex2(k * 8 + 4)} - AL,Ib`,
      `${name} ${hex2(k * 8 + 5)} - eAX,Iz`,
      `${name} 80 ${k} Eb,Ib${lock}`,
      `${name} 81 ${k} Ev,Iz${lock}`,
      `${name} 82 ${k} Eb,Ib${lock} alias`,
      `${name} 83 ${k} Ev,sIb${lock}`
    ];
  }),
  "push 06 - ES",
  "pop 07 - ES",
  "push 0e - CS",
  "push 16 - SS",
  "pop 17 - SS",
  "push 1e - DS",
  "pop 1f - DS",
  "push 0fa0 - FS",
  "pop 0fa1 - FS",
  "push 0fa8 - GS",
  "pop 0fa9 - GS",
  "daa 27 -",
  "das 2f -",
  "aaa 37 -",
  "aas 3f -",
  "aam d4 - Ib",
  "aad d5 - Ib",
  "inc 40 + Zv",
  "dec 48 + Zv",
  "push 50 + Zv",
  "pop 58 + Zv",
  "pusha 60 -",
  "popa 61 -",
  "bound 62 r Gv,Ma",
  "arpl 63 r Ew,Gw",
  "push 68 - Iz",
  "imul 69 r Gv,Ev,Iz",
  "push 6a - sIb",
  "imul 6b r Gv,Ev,sIb",
  "ins 6c - Yb,DX",
  "ins 6d - Yz,DX",
  "outs 6e - DX,Xb",
  "outs 6f - DX,Xz",
  ...CONDITIONS.flatMap((c, k) => [
    `j${c} ${hex2(112 + k)} - Jb`,
    `j${c} 0f${hex2(128 + k)} - Jz`,
    `set${c} 0f${hex2(144 + k)} r Eb`,
    `cmov${c} 0f${hex2(64 + k)} r Gv,Ev`
  ]),
  "test 84 r Eb,Gb",
  "test 85 r Ev,Gv",
  "xchg 86 r Eb,Gb lock",
  "xchg 87 r Ev,Gv lock",
  "mov 88 r Eb,Gb",
  "mov 89 r Ev,Gv",
  "mov 8a r Gb,Eb",
  "mov 8b r Gv,Ev",
  "mov 8c r Ev,Sw",
  "lea 8d r Gv,M",
  "mov 8e r Sw,Ew",
  "pop 8f 0 Ev",
  "nop 90 -",
  "pause 90 - f3",
  "xchg 90 + Zv,eAX",
  "cbw 98 -",
  "cwd 99 -",
  "call 9a - Ap",
  "fwait 9b -",
  "pushf 9c -",
  "popf 9d -",
  "sahf 9e -",
  "lahf 9f -",
  "mov a0 - AL,Ob",
  "mov a1 - eAX,Ov",
  "mov a2 - Ob,AL",
  "mov a3 - Ov,eAX",
  "movs a4 - Yb,Xb",
  "movs a5 - Yv,Xv",
  "cmps a6 - Xb,Yb",
  "cmps a7 - Xv,Yv",
  "test a8 - AL,Ib",
  "test a9 - eAX,Iz",
  "stos aa - Yb,AL",
  "stos ab - Yv,eAX",
  "lods ac - AL,Xb",
  "lods ad - eAX,Xv",
  "scas ae - AL,Yb",
  "scas af - eAX,Yv",
  "mov b0 + Zb,Ib",
  "mov b8 + Zv,Iv",
  ...SHIFTS.flatMap((name, k) => [
    `${name} c0 ${k} Eb,Ib`,
    `${name} c1 ${k} Ev,Ib`,
    `${name} d0 ${k} Eb,1`,
    `${name} d1 ${k} Ev,1`,
    `${name} d2 ${k} Eb,CL`,
    `${name} d3 ${k} Ev,CL`
  ]),
  "ret c2 - Iw",
  "ret c3 -",
  "les c4 r Gz,Mp",
  "lds c5 r Gz,Mp",
  "mov c6 0 Eb,Ib",
  "mov c7 0 Ev,Iz",
  "enter c8 - Iw,Ib",
  "leave c9 -",
  "retf ca - Iw",
  "retf cb -",
  "int3 cc -",
  "int cd - Ib",
  "into ce -",
  "iret cf -",
  "salc d6 -",
  "xlat d7 -",
  ...[216, 217, 218, 219, 220, 221, 222, 223].map((byte2) => `x87 ${hex2(byte2)} r E`),
  "loopne e0 - Jb",
  "loope e1 - Jb",
  "loop e2 - Jb",
  "jcxz e3 - Jb",
  "in e4 - AL,Ib",
  "in e5 - eAX,Ib",
  "out e6 - Ib,AL",
  "out e7 - Ib,eAX",
  "call e8 - Jz",
  "jmp e9 - Jz",
  "jmp ea - Ap",
  "jmp eb - Jb",
  "in ec - AL,DX",
  "in ed - eAX,DX",
  "out ee - DX,AL",
  "out ef - DX,eAX",
  "int1 f1 -",
  "hlt f4 -",
  "cmc f5 -",
  "test f6 0 Eb,Ib",
  "test f6 1 Eb,Ib alias",
  "not f6 2 Eb lock",
  "neg f6 3 Eb lock",
  "mul f6 4 Eb",
  "imul f6 5 Eb",
  "div f6 6 Eb",
  "idiv f6 7 Eb",
  "test f7 0 Ev,Iz",
  "test f7 1 Ev,Iz alias",
  "not f7 2 Ev lock",
  "neg f7 3 Ev lock",
  "mul f7 4 Ev",
  "imul f7 5 Ev",
  "div f7 6 Ev",
  "idiv f7 7 Ev",
  "clc f8 -",
  "stc f9 -",
  "cli fa -",
  "sti fb -",
  "cld fc -",
  "std fd -",
  "inc fe 0 Eb lock",
  "dec fe 1 Eb lock",
  "inc ff 0 Ev lock",
  "dec ff 1 Ev lock",
  "call ff 2 Ev",
  "call ff 3 Mp",
  "jmp ff 4 Ev",
  "jmp ff 5 Mp",
  "push ff 6 Ev",
  "sldt 0f00 0 Ev",
  "str 0f00 1 Ev",
  "lldt 0f00 2 Ew",
  "ltr 0f00 3 Ew",
  "verr 0f00 4 Ew",
  "verw 0f00 5 Ew",
  "sgdt 0f01 0 Ms",
  "sidt 0f01 1 Ms",
  "lgdt 0f01 2 Ms",
  "lidt 0f01 3 Ms",
  "smsw 0f01 4 Ev",
  "lmsw 0f01 6 Ew",
  "invlpg 0f01 7 M",
  "lar 0f02 r Gv,Ew",
  "lsl 0f03 r Gv,Ew",
  "clts 0f06 -",
  "invd 0f08 -",
  "wbinvd 0f09 -",
  "ud2 0f0b -",
  // What later parts gave other meanings, so that it does nothing on these: prefetches, ENDBR and the like.
  ...["0d", "18", "19", "1a", "1b", "1c", "1d", "1e"].map((byte2) => `nop 0f${byte2} r Ev alias`),
  "nop 0f1f r Ev",
  "mov 0f20 r Rd,Cd",
  "mov 0f21 r Rd,Dd",
  "mov 0f22 r Cd,Rd",
  "mov 0f23 r Dd,Rd",
  "wrmsr 0f30 -",
  "rdtsc 0f31 -",
  "rdmsr 0f32 -",
  "rdpmc 0f33 -",
  "sysenter 0f34 -",
  "sysexit 0f35 -",
  "cpuid 0fa2 -",
  "bt 0fa3 r Ev,Gv",
  "shld 0fa4 r Ev,Gv,Ib",
  "shld 0fa5 r Ev,Gv,CL",
  "bts 0fab r Ev,Gv lock",
  "shrd 0fac r Ev,Gv,Ib",
  "shrd 0fad r Ev,Gv,CL",
  "fxsave 0fae 0 M",
  "fxrstor 0fae 1 M",
  "lfence 0fae 5",
  "mfence 0fae 6",
  "sfence 0fae 7",
  "imul 0faf r Gv,Ev",
  "cmpxchg 0fb0 r Eb,Gb lock",
  "cmpxchg 0fb1 r Ev,Gv lock",
  "lss 0fb2 r Gz,Mp",
  "btr 0fb3 r Ev,Gv lock",
  "lfs 0fb4 r Gz,Mp",
  "lgs 0fb5 r Gz,Mp",
  "movzx 0fb6 r Gv,Eb",
  "movzx 0fb7 r Gv,Ew",
  "bt 0fba 4 Ev,Ib",
  "bts 0fba 5 Ev,Ib lock",
  "btr 0fba 6 Ev,Ib lock",
  "btc 0fba 7 Ev,Ib lock",
  "btc 0fbb r Ev,Gv lock",
  "bsf 0fbc r Gv,Ev",
  "bsr 0fbd r Gv,Ev",
  "movsx 0fbe r Gv,Eb",
  "movsx 0fbf r Gv,Ew",
  "xadd 0fc0 r Eb,Gb lock",
  "xadd 0fc1 r Ev,Gv lock",
  "cmpxchg8b 0fc7 1 Mq lock",
  "bswap 0fc8 + Zv"
];
var FLAGS = ["lock", "f3", "alias"];
var ISA = TEXT.map((text) => {
  const [mnemonic, opcode, form2 = "-", ...rest] = text.split(" ");
  const operands = rest.length > 0 && !FLAGS.includes(rest[0]) ? rest[0].split(",") : [];
  return {
    mnemonic,
    opcode: opcode.match(/../g).map((byte2) => parseInt(byte2, 16)),
    digit: form2 >= "0" && form2 <= "7" ? Number(form2) : -1,
    modrm: form2 !== "-" && form2 !== "+",
    plusR: form2 === "+",
    operands,
    lockable: rest.includes("lock"),
    prefix: rest.includes("f3") ? 243 : 0,
    alias: rest.includes("alias"),
    undefined: UNDEFINED[mnemonic] ?? null
  };
});

// src/cpu/instructions/far.ts
function isFar(op) {
  return op.row.operands[0] === "Ap" || op.row.operands[0] === "Mp";
}
function transfer(cpu, op, call4) {
  if (op.a.kind === IMM) return farTransfer(cpu, call4, op.imm2, op.a.value, op.opSize);
  const at = cpu.address(op);
  const offset = cpu.readMemory(op.seg, at, op.opSize);
  const selector = cpu.readMemory(op.seg, at + op.opSize | 0, 2);
  if (cpu.stop === 0) farTransfer(cpu, call4, selector, offset, op.opSize);
}
var farCall = (cpu, op) => transfer(cpu, op, true);
var farJump = (cpu, op) => transfer(cpu, op, false);
var iret = (cpu, op) => {
  interruptReturn(cpu, op.opSize);
  if (cpu.stop === 0 || cpu.stop === STOP_FAULT) cpu.r[SHADOW] &= ~SHADOW_NMI;
};
function softwareEvent(cpu, op, type, vector) {
  cpu.r[EVENT] = EVENT_VALID | type | vector | op.length << EVENT_LENGTH_SHIFT;
}
var bound = (cpu, op) => {
  const at = cpu.address(op);
  const size = op.opSize;
  const shift3 = 32 - size * 8;
  const index = cpu.register(op.reg, size) << shift3;
  const lower = cpu.readMemory(op.seg, at, size) << shift3;
  if (cpu.stop !== 0) return;
  if (index < lower) return cpu.fault(BR);
  const upper = cpu.readMemory(op.seg, at + size | 0, size) << shift3;
  if (cpu.stop === 0 && index > upper) cpu.fault(BR);
};
function setFlat(cpu, seg, selector, attr) {
  const r = cpu.r;
  r[SELECTOR + seg] = selector;
  r[SEG_BASE + seg] = 0;
  r[SEG_LIMIT + seg] = -1;
  r[SEG_ATTR + seg] = attr;
}
var FLAT_CODE = 49307;
var FLAT_DATA = 49299;
var sysenter = (cpu) => {
  const r = cpu.r;
  const selector = r[MSR_SYSENTER_CS] & 65532;
  if (inRealMode(r) || selector === 0) return cpu.fault(GP, 0);
  r[EFLAGS] &= ~(VM | IF | RF);
  setFlat(cpu, CS, selector, FLAT_CODE);
  setFlat(cpu, SS, selector + 8, FLAT_DATA);
  r[ESP] = r[MSR_SYSENTER_ESP];
  cpu.next = r[MSR_SYSENTER_EIP];
  cpu.bus.branch();
};
var sysexit = (cpu) => {
  const r = cpu.r;
  const selector = r[MSR_SYSENTER_CS] & 65532;
  if (inRealMode(r) || selector === 0 || cplOf(r) !== 0) return cpu.fault(GP, 0);
  setFlat(cpu, CS, selector + 16 | 3, FLAT_CODE | 96);
  setFlat(cpu, SS, selector + 24 | 3, FLAT_DATA | 96);
  r[ESP] = r[ECX];
  cpu.next = r[EDX];
  cpu.bus.branch();
};
var FAR = [
  ["iret", iret],
  ["int3", (cpu, op) => softwareEvent(cpu, op, EVENT_INT3, 3)],
  ["int", (cpu, op) => softwareEvent(cpu, op, EVENT_INT_N, op.a.value)],
  ["into", (cpu, op) => {
    if ((cpu.r[EFLAGS] & OF) !== 0) softwareEvent(cpu, op, EVENT_INT3, 4);
  }],
  ["int1", (cpu, op) => softwareEvent(cpu, op, EVENT_INT1, 1)],
  ["bound", bound],
  ["sysenter", sysenter],
  ["sysexit", sysexit]
];

// src/cpu/instructions/branch.ts
function targetOf(cpu, op, target) {
  const offset = op.opSize === 4 ? target | 0 : target & 65535;
  if (offset >>> 0 > cpu.r[SEG_LIMIT + CS] >>> 0) cpu.fault(GP, 0);
  return offset;
}
function jumpTo(cpu, op, target) {
  const offset = targetOf(cpu, op, target);
  if (cpu.stop !== 0) return;
  cpu.next = offset;
  if (cpu.cls.queueBytes > 0) cpu.bus.branch();
}
var call = (cpu, op) => {
  if (isFar(op)) return farCall(cpu, op);
  const target = op.a.kind === IMM ? cpu.next + op.a.value : cpu.get(op, op.a);
  if (cpu.stop !== 0) return;
  const offset = targetOf(cpu, op, target);
  if (cpu.stop !== 0) return;
  const esp = cpu.pushAt(cpu.r[ESP], op.opSize, cpu.next);
  if (cpu.stop !== 0) return;
  if (cpu.cls.queueBytes > 0) cpu.bus.branch();
  if (cpu.stop !== 0) return;
  cpu.r[ESP] = esp;
  cpu.next = offset;
};
var jmp = (cpu, op) => {
  if (isFar(op)) return farJump(cpu, op);
  const target = op.a.kind === IMM ? cpu.next + op.a.value : cpu.get(op, op.a);
  if (cpu.stop === 0) jumpTo(cpu, op, target);
};
var ret = (cpu, op) => {
  const target = cpu.readStack(0, op.opSize);
  if (cpu.stop !== 0) return;
  jumpTo(cpu, op, target);
  if (cpu.stop === 0) cpu.r[ESP] = cpu.espAbove(op.opSize + (op.a.kind === IMM ? op.a.value : 0));
};
var loop = (taken) => (cpu, op) => {
  const count = mask(cpu.register(ECX, op.addrSize) - 1, op.addrSize);
  if (count !== 0 && taken(cpu)) jumpTo(cpu, op, cpu.next + op.a.value);
  if (cpu.stop === 0) cpu.setRegister(ECX, op.addrSize, count);
};
var BRANCH = [
  ["call", call],
  ["jmp", jmp],
  ["ret", ret],
  ["retf", (cpu, op) => farReturn(cpu, op.opSize, op.a.kind === IMM ? op.a.value : 0)],
  ["loop", loop(() => true)],
  ["loope", loop((cpu) => (cpu.r[EFLAGS] & ZF) !== 0)],
  ["loopne", loop((cpu) => (cpu.r[EFLAGS] & ZF) === 0)],
  ["jcxz", (cpu, op) => {
    if (cpu.register(ECX, op.addrSize) === 0) jumpTo(cpu, op, cpu.next + op.a.value);
  }],
  ...CONDITIONS.map((name, code) => [`j${name}`, (cpu, op) => {
    if (condition(cpu.r[EFLAGS], code)) jumpTo(cpu, op, cpu.next + op.a.value);
  }])
];

// src/cpu/instructions/fpuState.ts
var EXCEPTIONS = 63;
var PENDING = 32896;
var CW_AFTER_INIT = 895;
var MXCSR_BITS = 65535;
function summarize(status, control) {
  return (status & ~control & EXCEPTIONS) !== 0 ? status | PENDING : status & ~PENDING;
}
function controlOf(word) {
  return word & 7999 | 64;
}
function initialize(cpu) {
  const r = cpu.r;
  r[FPU_CW] = CW_AFTER_INIT;
  r[FPU_SW] = 0;
  r[FPU_TW] = 65535;
  for (const word of [FPU_IP, FPU_CS, FPU_DP, FPU_DS, FPU_OP]) r[word] = 0;
}
function checkPending(cpu) {
  if ((cpu.r[FPU_SW] & PENDING) !== 0 && (cpu.r[CR0] & CR0_NE) !== 0) cpu.fault(MF);
}
function environment(cpu, size) {
  const r = cpu.r;
  const head = [r[FPU_CW], r[FPU_SW], r[FPU_TW]];
  const ones = size === 4 ? 4294901760 : 0;
  if (inProtectedMode(r)) {
    const opcode = size === 4 ? (r[FPU_OP] & 2047) << 16 : 0;
    return [...head.map((word) => word | ones), r[FPU_IP], r[FPU_CS] & 65535 | opcode, r[FPU_DP], r[FPU_DS] & 65535 | ones];
  }
  const ip = r[FPU_IP] + ((r[FPU_CS] & 65535) << 4) | 0;
  const dp = r[FPU_DP] + ((r[FPU_DS] & 65535) << 4) | 0;
  const upper = (address) => size === 4 ? address >>> 16 << 12 : (address >>> 16 & 15) << 12;
  return [...head.map((word) => word | ones), ip & 65535 | ones, upper(ip) | r[FPU_OP] & 2047, dp & 65535 | ones, upper(dp)];
}
var environmentBytes = (op) => 7 * op.opSize;
var REGISTER_BYTES = 80;
function checkArea(cpu, op, bytes, write) {
  const at = cpu.address(op);
  const first = cpu.linear(op.seg, at, op.opSize, write);
  const last = cpu.stop === 0 ? cpu.linear(op.seg, offsetOf(op, at, bytes - 1), 1, write) : 0;
  if (cpu.stop === 0) cpu.translate(first, write);
  if (cpu.stop === 0 && (first & 4095) + op.opSize > 4096) cpu.translate(first + op.opSize - 1 & ~4095, write);
  if (cpu.stop === 0) cpu.translate(last, write);
}
function storeEnvironment(cpu, op) {
  const at = cpu.address(op);
  const size = op.opSize;
  environment(cpu, size).forEach((word, n) => {
    if (cpu.stop === 0) cpu.writeMemory(op.seg, offsetOf(op, at, n * size), size, word);
  });
}
function offsetOf(op, at, more) {
  return op.addrSize === 4 ? at + more | 0 : at + more & 65535;
}
function readWords(cpu, op, from, count, size) {
  const at = cpu.address(op);
  const words = [];
  for (let n = 0; n < count && cpu.stop === 0; n++) words.push(cpu.readMemory(op.seg, offsetOf(op, at, from + n * size), size));
  return words;
}
function loadEnvironment(cpu, words, size) {
  const r = cpu.r;
  r[FPU_CW] = controlOf(words[0]);
  r[FPU_SW] = summarize(words[1] & 65535, words[0]);
  r[FPU_TW] = words[2] & 65535;
  if (inProtectedMode(r)) {
    r[FPU_IP] = words[3];
    r[FPU_CS] = words[4] & 65535;
    r[FPU_OP] = size === 4 ? words[4] >>> 16 & 2047 : 0;
    r[FPU_DP] = words[5];
    r[FPU_DS] = words[6] & 65535;
    return;
  }
  const upper = (word) => size === 4 ? word >>> 12 << 16 : (word >>> 12 & 15) << 16;
  r[FPU_IP] = words[3] & 65535 | upper(words[4]);
  r[FPU_OP] = words[4] & 2047;
  r[FPU_DP] = words[5] & 65535 | upper(words[6]);
  r[FPU_CS] = 0;
  r[FPU_DS] = 0;
}
function registerOf(r, i) {
  return FPU_ST + ((r[FPU_SW] >> 11 & 7) + i & 7) * 3;
}
var fnsave = (cpu, op) => {
  const r = cpu.r;
  checkArea(cpu, op, environmentBytes(op) + REGISTER_BYTES, true);
  if (cpu.stop !== 0) return;
  storeEnvironment(cpu, op);
  const at = cpu.address(op);
  for (let i = 0; i < 8; i++) {
    const st = registerOf(r, i);
    const halves = [r[st], r[st] >>> 16, r[st + 1], r[st + 1] >>> 16, r[st + 2]];
    for (let n = 0; n < 5 && cpu.stop === 0; n++) cpu.writeMemory(op.seg, offsetOf(op, at, environmentBytes(op) + i * 10 + n * 2), 2, halves[n]);
  }
  if (cpu.stop === 0) initialize(cpu);
};
var frstor = (cpu, op) => {
  const r = cpu.r;
  const size = op.opSize;
  checkArea(cpu, op, environmentBytes(op) + REGISTER_BYTES, false);
  if (cpu.stop !== 0) return;
  const words = readWords(cpu, op, 0, 7, size);
  const halves = readWords(cpu, op, 7 * size, 40, 2);
  if (cpu.stop !== 0) return;
  loadEnvironment(cpu, words, size);
  for (let i = 0; i < 8; i++) {
    const st = registerOf(r, i);
    const h = halves.slice(i * 5, i * 5 + 5);
    r[st] = h[0] | h[1] << 16;
    r[st + 1] = h[2] | h[3] << 16;
    r[st + 2] = h[4];
  }
};
var fldenv = (cpu, op) => {
  checkArea(cpu, op, environmentBytes(op), false);
  if (cpu.stop !== 0) return;
  const words = readWords(cpu, op, 0, 7, op.opSize);
  if (cpu.stop === 0) loadEnvironment(cpu, words, op.opSize);
};
var fnstenv = (cpu, op) => {
  checkArea(cpu, op, environmentBytes(op), true);
  if (cpu.stop !== 0) return;
  storeEnvironment(cpu, op);
  if (cpu.stop !== 0) return;
  cpu.r[FPU_CW] |= EXCEPTIONS;
  cpu.r[FPU_SW] = summarize(cpu.r[FPU_SW], cpu.r[FPU_CW]);
};
var fldcw = (cpu, op) => {
  const control = cpu.readMemory(op.seg, cpu.address(op), 2);
  if (cpu.stop !== 0) return;
  cpu.r[FPU_CW] = controlOf(control);
  cpu.r[FPU_SW] = summarize(cpu.r[FPU_SW], control);
};
var turn = (by) => (cpu) => {
  const status = cpu.r[FPU_SW];
  cpu.r[FPU_SW] = status & ~14848 | ((status >> 11) + by & 7) << 11;
};
var ffree = (cpu, op) => {
  const physical = (cpu.r[FPU_SW] >> 11 & 7) + op.rm & 7;
  cpu.r[FPU_TW] |= 3 << physical * 2;
  cpu.r[FPU_SW] &= ~512;
};
var nothing = () => {
};
var MEMORY = /* @__PURE__ */ new Map([
  [55556, { waits: true, run: fldenv }],
  [55557, { waits: true, run: fldcw }],
  [55558, { waits: false, run: fnstenv }],
  [55559, { waits: false, run: (cpu, op) => cpu.writeMemory(op.seg, cpu.address(op), 2, cpu.r[FPU_CW]) }],
  [56580, { waits: true, run: frstor }],
  [56582, { waits: false, run: fnsave }],
  [56583, { waits: false, run: (cpu, op) => cpu.writeMemory(op.seg, cpu.address(op), 2, cpu.r[FPU_SW]) }]
]);
var REGISTER = new Map([
  [55760, { waits: true, run: nothing }],
  // FNOP
  [55798, { waits: true, run: turn(-1) }],
  // FDECSTP
  [55799, { waits: true, run: turn(1) }],
  // FINCSTP
  [56288, { waits: false, run: nothing }],
  // FNENI, FNDISI, FNSETPM: the 8087's and 287's, without effect since the 387
  [56289, { waits: false, run: nothing }],
  [56290, { waits: false, run: (cpu) => {
    cpu.r[FPU_SW] &= 32512;
  } }],
  // FNCLEX
  [56291, { waits: false, run: (cpu) => initialize(cpu) }],
  // FNINIT
  [56292, { waits: false, run: nothing }],
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((i) => [56768 + i, { waits: true, run: ffree }]),
  [57312, { waits: false, run: (cpu) => cpu.setRegister(EAX, 2, cpu.r[FPU_SW]) }]
  // FNSTSW AX
]);
var escape = (cpu, op) => {
  if ((cpu.r[CR0] & (CR0_EM | CR0_TS)) !== 0) return cpu.fault(NM);
  const opcode = op.row.opcode[0] << 8;
  const found2 = op.a.kind === MEM ? MEMORY.get(opcode | op.reg) : REGISTER.get(opcode | op.modrm);
  if (found2 === void 0) {
    cpu.fault(UD);
    cpu.remark = "xmcheck does not implement x87 arithmetic";
    return;
  }
  if (found2.waits) checkPending(cpu);
  if (cpu.stop === 0) found2.run(cpu, op);
};
var fwait = (cpu) => {
  const both = CR0_MP | CR0_TS;
  if ((cpu.r[CR0] & both) === both) return cpu.fault(NM);
  checkPending(cpu);
};
function fxArea(cpu, op) {
  const control = cpu.r[CR0];
  if ((control & CR0_EM) !== 0) cpu.fault(UD);
  else if ((control & CR0_TS) !== 0) cpu.fault(NM);
  else if ((cpu.r[SEG_BASE + op.seg] + cpu.address(op) & 15) !== 0) cpu.fault(GP, 0);
  return cpu.address(op);
}
function abridged(tags) {
  let bits = 0;
  for (let n = 0; n < 8; n++) if ((tags >> n * 2 & 3) !== 3) bits |= 1 << n;
  return bits;
}
function tagOf(r, physical) {
  const [low, high, top] = r.subarray(FPU_ST + physical * 3, FPU_ST + physical * 3 + 3);
  const exponent = top & 32767;
  if (exponent === 0) return low === 0 && high === 0 ? 1 : 2;
  return exponent === 32767 || high >= 0 ? 2 : 0;
}
var fxsave = (cpu, op) => {
  const r = cpu.r;
  const at = fxArea(cpu, op);
  const write = (offset, value) => {
    if (cpu.stop === 0) cpu.writeMemory(op.seg, offsetOf(op, at, offset), 4, value);
  };
  write(0, r[FPU_CW] & 65535 | r[FPU_SW] << 16);
  write(4, abridged(r[FPU_TW]) | r[FPU_OP] << 16);
  write(8, r[FPU_IP]);
  write(12, r[FPU_CS] & 65535);
  write(16, r[FPU_DP]);
  write(20, r[FPU_DS] & 65535);
  write(24, r[MXCSR]);
  write(28, MXCSR_BITS);
  for (let i = 0; i < 8; i++) {
    const st = registerOf(r, i);
    write(32 + i * 16, r[st]);
    write(36 + i * 16, r[st + 1]);
    write(40 + i * 16, r[st + 2] & 65535);
    write(44 + i * 16, 0);
  }
};
var fxrstor = (cpu, op) => {
  const r = cpu.r;
  fxArea(cpu, op);
  if (cpu.stop !== 0) return;
  const words = readWords(cpu, op, 0, 40, 4);
  if (cpu.stop !== 0) return;
  if ((words[6] & ~MXCSR_BITS) !== 0) return cpu.fault(GP, 0);
  r[FPU_CW] = controlOf(words[0]);
  r[FPU_SW] = summarize(words[0] >>> 16, words[0]);
  r[FPU_OP] = words[1] >>> 16 & 2047;
  r[FPU_IP] = words[2];
  r[FPU_CS] = words[3] & 65535;
  r[FPU_DP] = words[4];
  r[FPU_DS] = words[5] & 65535;
  r[MXCSR] = words[6];
  for (let i = 0; i < 8; i++) {
    const st = registerOf(r, i);
    r[st] = words[8 + i * 4];
    r[st + 1] = words[9 + i * 4];
    r[st + 2] = words[10 + i * 4] & 65535;
  }
  let tags = 0;
  for (let n = 0; n < 8; n++) tags |= ((words[1] >> n & 1) !== 0 ? tagOf(r, n) : 3) << n * 2;
  r[FPU_TW] = tags;
};
var FPU = [
  ["x87", escape],
  ["fwait", fwait],
  ["fxsave", fxsave],
  ["fxrstor", fxrstor]
];

// src/cpu/instructions/io.ts
var MAP_BASE = 102;
function checkPort(cpu, port, size) {
  const r = cpu.r;
  if (inRealMode(r) || !inVirtual8086(r) && cplOf(r) <= ioplOf(r)) return;
  const limit2 = r[SEG_LIMIT + TR] >>> 0;
  const wide = (r[SEG_ATTR + TR] & 141) === 137;
  if (!wide || limit2 < MAP_BASE + 1) return cpu.fault(GP, 0);
  const map = cpu.readSystem(r[SEG_BASE + TR] + MAP_BASE | 0, 2);
  if (cpu.stop !== 0) return;
  const at = map + (port >> 3);
  if (at + 1 > limit2) return cpu.fault(GP, 0);
  const bits = cpu.readSystem(r[SEG_BASE + TR] + at | 0, 2);
  if (cpu.stop === 0 && (bits >> (port & 7) & (1 << size) - 1) !== 0) cpu.fault(GP, 0);
}
function readPort(cpu, port, size) {
  cpu.bus.fence();
  const value = cpu.stop === 0 ? cpu.bus.in(port, size) : 0;
  if (cpu.stop === 0) noteIoBreakpoints(cpu, port, size);
  return value;
}
function writePort(cpu, port, size, value) {
  cpu.bus.fence();
  if (cpu.stop === 0) cpu.bus.out(port, size, value);
  if (cpu.stop === 0) noteIoBreakpoints(cpu, port, size);
}
var portOf = (cpu, op, operand2) => cpu.get(op, operand2) & (operand2.size === 1 ? 255 : 65535);
var input = (cpu, op) => {
  const port = portOf(cpu, op, op.b);
  checkPort(cpu, port, op.a.size);
  if (cpu.stop !== 0) return;
  const value = readPort(cpu, port, op.a.size);
  if (cpu.stop === 0) cpu.set(op, op.a, value);
};
var output = (cpu, op) => {
  const port = portOf(cpu, op, op.a);
  checkPort(cpu, port, op.b.size);
  if (cpu.stop === 0) writePort(cpu, port, op.b.size, cpu.get(op, op.b));
};
var stringIo = (index, transfer2) => (cpu, op) => {
  const r = cpu.r;
  const width = op.addrSize;
  const size = (op.row.opcode[0] & 1) === 0 ? 1 : op.opSize;
  const port = r[EDX] & 65535;
  checkPort(cpu, port, size);
  if (cpu.stop !== 0 || op.rep !== 0 && cpu.register(ECX, width) === 0) return;
  transfer2(cpu, op, port, cpu.register(index, width), size);
  if (cpu.stop !== 0) return;
  cpu.setRegister(index, width, cpu.register(index, width) + ((r[EFLAGS] & DF) !== 0 ? -size : size));
  if (op.rep === 0) return;
  const count = mask(cpu.register(ECX, width) - 1, width);
  cpu.setRegister(ECX, width, count);
  if (count !== 0) cpu.repeat();
};
var ins = stringIo(EDI, (cpu, _op, port, offset, size) => {
  const linear = cpu.linear(ES, offset, size, true);
  if (cpu.stop === 0) cpu.translate(linear, true);
  if (cpu.stop === 0 && (linear & 4095) + size > 4096) cpu.translate(linear + size - 1 | 0, true);
  if (cpu.stop !== 0) return;
  const value = readPort(cpu, port, size);
  cpu.writeLinear(linear, size, value);
});
var outs = stringIo(ESI, (cpu, op, port, offset, size) => {
  const value = cpu.readMemory(op.seg, offset, size);
  if (cpu.stop === 0) writePort(cpu, port, size, value);
});
var IO = [
  ["in", input],
  ["out", output],
  ["ins", ins],
  ["outs", outs]
];

// src/cpu/instructions/handler.ts
var serializing = (apply) => (cpu, op) => {
  cpu.bus.serialize();
  if (cpu.stop === 0) apply(cpu, op);
};

// src/cpu/instructions/segments.ts
function loadRegister(cpu, seg, selector) {
  if (seg === CS || seg > GS) return cpu.fault(UD);
  loadSegment(cpu, seg, selector);
  if (cpu.stop === 0 && seg === SS) cpu.r[SHADOW] |= SHADOW_MOV_SS;
}
var moveSegment = (cpu, op) => {
  if (op.a.kind === SREG) {
    const selector = cpu.get(op, op.b);
    if (cpu.stop === 0) loadRegister(cpu, op.a.value, selector & 65535);
    return;
  }
  if (op.b.value > GS) return cpu.fault(UD);
  storeWord(cpu, op, cpu.r[SELECTOR + op.b.value]);
};
function storeWord(cpu, op, value) {
  if (op.a.kind === MEM) cpu.writeMemory(op.seg, cpu.address(op), 2, value);
  else cpu.setRegister(op.a.value, op.opSize, value);
}
var farPointer = (seg) => (cpu, op) => {
  const at = cpu.address(op);
  const offset = cpu.readMemory(op.seg, at, op.opSize);
  const selector = cpu.readMemory(op.seg, at + op.opSize | 0, 2);
  if (cpu.stop !== 0) return;
  loadSegment(cpu, seg, selector);
  if (cpu.stop === 0) cpu.set(op, op.a, offset);
};
var protectedOnly = (apply) => (cpu, op) => inProtectedMode(cpu.r) ? apply(cpu, op) : cpu.fault(UD);
var atLevel0 = (apply) => protectedOnly((cpu, op) => cplOf(cpu.r) === 0 ? apply(cpu, op) : cpu.fault(GP, 0));
var lldt = atLevel0((cpu, op) => {
  const selector = cpu.get(op, op.a) & 65535;
  if (cpu.stop !== 0) return;
  let descriptor = null;
  if (!isNull(selector)) {
    if ((selector & 4) !== 0) return cpu.fault(GP, selectorError(selector));
    descriptor = readDescriptor(cpu, selector);
    if (cpu.stop !== 0) return;
    const attr = attrOf(descriptor.high);
    if ((attr & 31) !== 2) return cpu.fault(GP, selectorError(selector));
    if ((attr & ATTR_PRESENT) === 0) return cpu.fault(NP, selectorError(selector));
  }
  cpu.bus.serialize();
  if (cpu.stop !== 0) return;
  if (descriptor === null) setNullSegment(cpu, LDTR, selector);
  else setSegment(cpu, LDTR, selector, descriptor);
});
var ltr = atLevel0((cpu, op) => {
  const selector = cpu.get(op, op.a) & 65535;
  if (cpu.stop !== 0) return;
  if (isNull(selector)) return cpu.fault(GP, 0);
  if ((selector & 4) !== 0) return cpu.fault(GP, selectorError(selector));
  const descriptor = readDescriptor(cpu, selector);
  if (cpu.stop !== 0) return;
  const attr = attrOf(descriptor.high);
  const type = attr & 31;
  if (type !== TSS_16 && type !== TSS_32) return cpu.fault(GP, selectorError(selector));
  if ((attr & ATTR_PRESENT) === 0) return cpu.fault(NP, selectorError(selector));
  setTypeBits(cpu, selector, BUSY);
  cpu.bus.serialize();
  if (cpu.stop !== 0) return;
  setSegment(cpu, TR, selector, { low: descriptor.low, high: descriptor.high | BUSY << 8 });
});
function visibleDescriptor(cpu, selector) {
  const descriptor = isNull(selector) ? null : findDescriptor(cpu, selector);
  if (cpu.stop !== 0 || descriptor === null) return null;
  const attr = attrOf(descriptor.high);
  if (isCode(attr) && isConforming(attr)) return descriptor;
  return dplOf(attr) < cplOf(cpu.r) || dplOf(attr) < (selector & 3) ? null : descriptor;
}
var LAR_TYPES = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 9 | 1 << 11 | 1 << 12;
var LSL_TYPES = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 9 | 1 << 11;
var query = (types, result) => protectedOnly((cpu, op) => {
  const selector = cpu.get(op, op.b) & 65535;
  const descriptor = cpu.stop === 0 ? visibleDescriptor(cpu, selector) : null;
  if (cpu.stop !== 0) return;
  const type = descriptor === null ? 0 : attrOf(descriptor.high) & 31;
  const found2 = descriptor !== null && ((type & 16) !== 0 || (types >> type & 1) !== 0);
  if (found2) cpu.set(op, op.a, result(descriptor));
  setFlags(cpu.r, found2 ? ZF : 0, ZF);
});
var verify = (allows) => protectedOnly((cpu, op) => {
  const selector = cpu.get(op, op.a) & 65535;
  const descriptor = cpu.stop === 0 ? visibleDescriptor(cpu, selector) : null;
  if (cpu.stop !== 0) return;
  setFlags(cpu.r, descriptor !== null && allows(attrOf(descriptor.high)) ? ZF : 0, ZF);
});
var arpl = protectedOnly((cpu, op) => {
  const destination = cpu.get(op, op.a);
  const source = cpu.get(op, op.b);
  if (cpu.stop !== 0) return;
  const raises = (destination & 3) < (source & 3);
  if (raises) cpu.set(op, op.a, destination & ~3 | source & 3);
  if (cpu.stop === 0) setFlags(cpu.r, raises ? ZF : 0, ZF);
});
var SEGMENT = [
  ["les", farPointer(ES)],
  ["lds", farPointer(DS)],
  ["lss", farPointer(SS)],
  ["lfs", farPointer(FS)],
  ["lgs", farPointer(GS)],
  ["lldt", lldt],
  ["ltr", ltr],
  ["sldt", protectedOnly((cpu, op) => storeWord(cpu, op, cpu.r[SELECTOR + LDTR]))],
  ["str", protectedOnly((cpu, op) => storeWord(cpu, op, cpu.r[SELECTOR + TR]))],
  // Bits 16-19 are undefined; parts give those of the descriptor.
  ["lar", query(LAR_TYPES, ({ high }) => high & 16776960)],
  ["lsl", query(LSL_TYPES, limitOf)],
  ["verr", verify(isReadable)],
  ["verw", verify(isWritableData)],
  ["arpl", arpl]
];

// src/cpu/instructions/system.ts
var privileged = (apply) => (cpu, op) => cplOf(cpu.r) === 0 ? apply(cpu, op) : cpu.fault(GP, 0);
function cr0Bits(cpu) {
  const later = cpu.cls.features.has("486") ? CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD : 0;
  return CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_PG | later;
}
function cr4Bits(cpu) {
  const { features } = cpu.cls;
  const MCE = 1 << 6;
  return (features.has("vme") ? CR4_VME | CR4_PVI : 0) | (features.has("tsc") ? CR4_TSD | MCE : 0) | (features.has("de") ? CR4_DE : 0) | (features.has("pse") ? CR4_PSE : 0) | (features.has("pae") ? CR4_PAE : 0) | (features.has("pge") ? CR4_PGE : 0) | (features.has("rdpmc") ? CR4_PCE : 0) | (features.has("fxsr") ? CR4_OSFXSR : 0);
}
function hasControl(cpu, number2) {
  return number2 === 0 || number2 === 2 || number2 === 3 || number2 === 4 && cpu.cls.features.has("vme");
}
var CONTROL = [CR0, -1, CR2, CR3, CR4];
function writeCr0(cpu, value) {
  const r = cpu.r;
  const next = value & cr0Bits(cpu) | CR0_ET;
  if ((next & CR0_PG) !== 0 && (next & CR0_PE) === 0) return cpu.fault(GP, 0);
  if ((next & CR0_NW) !== 0 && (next & CR0_CD) === 0) return cpu.fault(GP, 0);
  const changed = next ^ r[CR0];
  const loads = (next & CR0_PG) !== 0 && (r[CR4] & CR4_PAE) !== 0 && (changed & (CR0_PG | CR0_CD | CR0_NW)) !== 0;
  const entries = loads ? readPdptes(cpu, r[CR3]) : null;
  cpu.bus.serialize();
  cpu.bus.gateInvalidation();
  if (cpu.stop !== 0) return;
  r[CR0] = next;
  if (entries !== null) r.set(entries, PDPTE);
  if ((changed & (CR0_PG | CR0_PE)) !== 0) cpu.bus.invalidateTlb(true);
  else if (entries !== null) cpu.bus.retarget();
}
function gateInvalidation(cpu) {
  if ((cpu.r[CR0] & CR0_PG) !== 0) cpu.bus.gateInvalidation();
}
function writeCr3(cpu, value) {
  const r = cpu.r;
  const loads = (r[CR0] & CR0_PG) !== 0 && (r[CR4] & CR4_PAE) !== 0;
  const entries = loads ? readPdptes(cpu, value) : null;
  cpu.bus.serialize();
  gateInvalidation(cpu);
  if (cpu.stop !== 0) return;
  r[CR3] = value;
  if (entries !== null) r.set(entries, PDPTE);
  cpu.bus.invalidateTlb(false);
}
function writeCr4(cpu, value) {
  const r = cpu.r;
  if ((value & ~cr4Bits(cpu)) !== 0) return cpu.fault(GP, 0);
  const changed = value ^ r[CR4];
  const loads = (r[CR0] & CR0_PG) !== 0 && (value & CR4_PAE) !== 0 && (changed & (CR4_PAE | CR4_PGE | CR4_PSE)) !== 0;
  const entries = loads ? readPdptes(cpu, r[CR3]) : null;
  cpu.bus.serialize();
  gateInvalidation(cpu);
  if (cpu.stop !== 0) return;
  r[CR4] = value;
  if (entries !== null) r.set(entries, PDPTE);
  if ((changed & (CR4_PAE | CR4_PGE | CR4_PSE)) !== 0) cpu.bus.invalidateTlb(true);
}
function moveControl(cpu, op) {
  const toControl = op.a.kind === CREG;
  const number2 = toControl ? op.a.value : op.b.value;
  if (!hasControl(cpu, number2)) return cpu.fault(UD);
  if (cplOf(cpu.r) !== 0) return cpu.fault(GP, 0);
  if (!toControl) return cpu.setRegister(op.a.value, 4, cpu.r[CONTROL[number2]]);
  const value = cpu.register(op.b.value, 4);
  if (number2 === 0) writeCr0(cpu, value);
  else if (number2 === 3) writeCr3(cpu, value);
  else if (number2 === 4) writeCr4(cpu, value);
  else {
    cpu.bus.serialize();
    if (cpu.stop === 0) cpu.r[CR2] = value;
  }
}
var DR6_FIXED_1 = 4294905840 | 0;
var DR6_WRITABLE = 57359;
var DR7_FIXED_1 = 1024;
var DR7_FIXED_0 = 55296;
function moveDebug(cpu, op) {
  const r = cpu.r;
  const toDebug = op.a.kind === DREG;
  const number2 = toDebug ? op.a.value : op.b.value;
  if ((number2 === 4 || number2 === 5) && (r[CR4] & CR4_DE) !== 0) return cpu.fault(UD);
  if (cplOf(r) !== 0) return cpu.fault(GP, 0);
  if ((r[DR7] & DR7_GD) !== 0) {
    r[DR6] |= DR6_BD;
    return cpu.fault(DB);
  }
  const register2 = number2 < 4 ? DR0 + number2 : DR6 + (number2 & 1);
  if (!toDebug) return cpu.setRegister(op.a.value, 4, r[register2]);
  const value = cpu.register(op.b.value, 4);
  cpu.bus.serialize();
  if (cpu.stop !== 0) return;
  if (register2 === DR6) r[DR6] = value & DR6_WRITABLE | DR6_FIXED_1;
  else if (register2 === DR7) r[DR7] = value & ~DR7_FIXED_0 | DR7_FIXED_1;
  else r[register2] = value;
}
var moveSystem = (cpu, op) => op.a.kind === CREG || op.b.kind === CREG ? moveControl(cpu, op) : moveDebug(cpu, op);
var lmsw = privileged((cpu, op) => {
  const value = cpu.get(op, op.a);
  if (cpu.stop !== 0) return;
  writeCr0(cpu, cpu.r[CR0] & ~(CR0_MP | CR0_EM | CR0_TS) | value & (CR0_PE | CR0_MP | CR0_EM | CR0_TS));
});
var smsw = (cpu, op) => {
  const value = cpu.r[CR0];
  if (op.a.kind === MEM) storeWord(cpu, op, value & 65535);
  else cpu.setRegister(op.a.value, op.opSize, value);
};
var loadTable = (base, limit2) => privileged((cpu, op) => {
  const at = cpu.address(op);
  const size = cpu.readMemory(op.seg, at, 2);
  const start = cpu.readMemory(op.seg, at + 2 | 0, 4);
  if (cpu.stop !== 0) return;
  cpu.bus.serialize();
  if (cpu.stop !== 0) return;
  cpu.r[base] = op.opSize === 2 ? start & 16777215 : start;
  cpu.r[limit2] = size;
});
var storeTable = (base, limit2) => (cpu, op) => {
  const at = cpu.address(op);
  cpu.writeMemory(op.seg, at, 2, cpu.r[limit2]);
  if (cpu.stop === 0) cpu.writeMemory(op.seg, at + 2 | 0, 4, cpu.r[base]);
};
function actsOnVif(cpu) {
  const r = cpu.r;
  if (inRealMode(r)) return false;
  if (cplOf(r) <= ioplOf(r)) return false;
  const enabled = inVirtual8086(r) ? CR4_VME : cplOf(r) === 3 ? CR4_PVI : 0;
  if ((r[CR4] & enabled) === 0) cpu.fault(GP, 0);
  return true;
}
var cli = (cpu) => {
  const virtual = actsOnVif(cpu);
  if (cpu.stop === 0) cpu.r[EFLAGS] &= ~(virtual ? VIF : IF);
};
var sti = (cpu) => {
  const r = cpu.r;
  const virtual = actsOnVif(cpu);
  if (cpu.stop !== 0) return;
  if (virtual) {
    if ((r[EFLAGS] & VIP) !== 0) return cpu.fault(GP, 0);
    r[EFLAGS] |= VIF;
    return;
  }
  if ((r[EFLAGS] & IF) === 0) r[SHADOW] |= SHADOW_STI;
  r[EFLAGS] |= IF;
};
var SYSTEM = [
  ["cli", cli],
  ["sti", sti],
  ["hlt", privileged((cpu) => {
    cpu.r[ACTIVITY] = HALTED;
  })],
  ["invd", privileged(serializing(() => {
  }))],
  ["wbinvd", privileged(serializing(() => {
  }))],
  ["invlpg", privileged(serializing((cpu, op) => invalidatePage(cpu, op)))],
  ["clts", privileged((cpu) => {
    cpu.r[CR0] &= ~CR0_TS;
  })],
  ["smsw", smsw],
  ["lmsw", lmsw],
  ["lgdt", loadTable(GDT_BASE, GDT_LIMIT)],
  ["lidt", loadTable(IDT_BASE, IDT_LIMIT)],
  ["sgdt", storeTable(GDT_BASE, GDT_LIMIT)],
  ["sidt", storeTable(IDT_BASE, IDT_LIMIT)]
];
function invalidatePage(cpu, op) {
  gateInvalidation(cpu);
  if (cpu.stop === 0) cpu.bus.invalidatePage(cpu.r[SEG_BASE + op.seg] + cpu.address(op) | 0);
}

// src/cpu/instructions/msr.ts
var EDX_BITS = [
  [1, "vme"],
  [2, "de"],
  [3, "pse"],
  [4, "tsc"],
  [5, "msr"],
  [6, "pae"],
  [8, "cx8"],
  [9, "apic"],
  [11, "sep"],
  [13, "pge"],
  [15, "cmov"],
  [16, "pat"],
  [24, "fxsr"]
];
var APIC_BIT = 1 << 9;
var ECX_X2APIC = 1 << 21;
var EXTENDED_EDX_NX = 1 << 20;
var STRUCTURED_FEATURES = 7;
var TSC_ADJUST_BIT = 1 << 1;
var TSC_ADJUST = 59;
var TOPOLOGY = 11;
var THREADS = 1;
var ADDRESS_BITS = 32 | 32 << 8;
var GENU = 1970169159;
var INEI = 1231384169;
var NTEL = 1818588270;
var MTRR_BIT = 1 << 12;
var MTRR_CAPABILITIES = 254;
function featureBits({ cls: { features }, r, bus }) {
  let bits = features.has("mtrr") && bus.readMsr(MTRR_CAPABILITIES) ? 1 | MTRR_BIT : 1;
  for (const [bit2, feature] of EDX_BITS) if (features.has(feature)) bits |= 1 << bit2;
  return (r[MSR_APIC_BASE] & 2048) === 0 ? bits & ~APIC_BIT : bits;
}
function leaf(cpu, number2, subleaf) {
  const { features, signature } = cpu.cls;
  const extended3 = features.has("nx") ? 2147483656 : 0;
  const x2apic = features.has("x2apic");
  switch (number2 >>> 0) {
    case STRUCTURED_FEATURES:
      if (x2apic && subleaf === 0 && cpu.bus.readMsr(TSC_ADJUST)) return [0, TSC_ADJUST_BIT, 0, 0];
      break;
    case TOPOLOGY:
      if (x2apic) return [0, subleaf === 0 ? 1 : 0, subleaf === 0 ? THREADS << 8 : subleaf & 255, cpu.apicId];
      break;
    case 1:
      return [signature, features.has("apic") ? cpu.apicId << 24 : 0, features.has("x2apic") ? ECX_X2APIC : 0, featureBits(cpu)];
    case 2147483648:
      if (extended3 !== 0) return [extended3, 0, 0, 0];
      break;
    case 2147483649:
      if (extended3 !== 0) return [signature, 0, 0, EXTENDED_EDX_NX];
      break;
    case 2147483656:
      if (extended3 !== 0) return [ADDRESS_BITS, 0, 0, 0];
      break;
    case 0:
      return [x2apic ? TOPOLOGY : 1, GENU, NTEL, INEI];
  }
  return [0, 0, 0, 0];
}
var cpuid = serializing((cpu) => {
  const r = cpu.r;
  const [eax, ebx, ecx, edx] = leaf(cpu, r[EAX], r[ECX]);
  r[EAX] = eax;
  r[EBX] = ebx;
  r[ECX] = ecx;
  r[EDX] = edx;
});
var rdtsc = (cpu) => {
  const r = cpu.r;
  if ((r[CR4] & CR4_TSD) !== 0 && cplOf(r) !== 0) return cpu.fault(GP, 0);
  const low = cpu.bus.tsc();
  if (cpu.stop !== 0) return;
  r[EAX] = low;
  r[EDX] = cpu.bus.high;
};
var rdpmc = (cpu) => {
  const r = cpu.r;
  if ((r[CR4] & CR4_PCE) === 0 && cplOf(r) !== 0) return cpu.fault(GP, 0);
  if (r[ECX] >>> 0 > 1) return cpu.fault(GP, 0);
  r[EAX] = 0;
  r[EDX] = 0;
};
var TSC = 16;
var APIC_BASE = 27;
var BIOS_UPDATE = 121;
var BIOS_SIGNATURE = 139;
var SYSENTER_CS = 372;
var SYSENTER_ESP = 373;
var SYSENTER_EIP = 374;
var PAT = 631;
var EFER = 3221225600;
var EFER_SCE = 1;
var apicBaseBits = (cpu) => 4294965504 | (cpu.cls.features.has("x2apic") ? 1024 : 0);
var rdmsr = privileged((cpu) => {
  const r = cpu.r;
  const { features } = cpu.cls;
  const answer = (low, high = 0) => {
    r[EAX] = low;
    r[EDX] = high;
  };
  const msr = r[ECX] >>> 0;
  if (msr === TSC && features.has("tsc")) {
    const low = cpu.bus.tsc();
    return cpu.stop === 0 ? answer(low, cpu.bus.high) : void 0;
  }
  if (msr === APIC_BASE && features.has("apic")) return answer(r[MSR_APIC_BASE]);
  if (msr === BIOS_SIGNATURE && features.has("pae")) return answer(0);
  if (msr === SYSENTER_CS && features.has("sep")) return answer(r[MSR_SYSENTER_CS]);
  if (msr === SYSENTER_ESP && features.has("sep")) return answer(r[MSR_SYSENTER_ESP]);
  if (msr === SYSENTER_EIP && features.has("sep")) return answer(r[MSR_SYSENTER_EIP]);
  if (msr === PAT && features.has("pat")) return answer(r[MSR_PAT_LO], r[MSR_PAT_HI]);
  if (msr === EFER && features.has("nx")) return answer(r[MSR_EFER]);
  const found2 = cpu.bus.readMsr(msr);
  if (cpu.stop !== 0) return;
  if (!found2) return cpu.fault(GP, 0);
  answer(cpu.bus.low, cpu.bus.high);
});
function validPat(half) {
  for (let n = 0; n < 4; n++) {
    const type = half >>> n * 8 & 255;
    if (type > 7 || type === 2 || type === 3) return false;
  }
  return true;
}
var wrmsr = privileged(
  serializing((cpu) => {
    const r = cpu.r;
    const { features } = cpu.cls;
    const msr = r[ECX] >>> 0;
    const low = r[EAX];
    const high = r[EDX];
    if (msr === APIC_BASE && features.has("apic")) {
      const enabled = (low & 2048) !== 0;
      const x2apic = (low & 1024) !== 0;
      const before2 = r[MSR_APIC_BASE] & 3072;
      const barred = x2apic && (!enabled || before2 === 0) || enabled && !x2apic && before2 === 3072;
      if (high !== 0 || (low & ~apicBaseBits(cpu)) !== 0 || barred) return cpu.fault(GP, 0);
      r[MSR_APIC_BASE] = low;
      cpu.bus.writeMsr(msr, low, high);
    } else if ((msr === BIOS_SIGNATURE || msr === BIOS_UPDATE) && features.has("pae")) {
    } else if (msr === SYSENTER_CS && features.has("sep")) r[MSR_SYSENTER_CS] = low;
    else if (msr === SYSENTER_ESP && features.has("sep")) r[MSR_SYSENTER_ESP] = low;
    else if (msr === SYSENTER_EIP && features.has("sep")) r[MSR_SYSENTER_EIP] = low;
    else if (msr === PAT && features.has("pat")) {
      if (!validPat(low) || !validPat(high)) return cpu.fault(GP, 0);
      r[MSR_PAT_LO] = low;
      r[MSR_PAT_HI] = high;
    } else if (msr === EFER && features.has("nx")) {
      if ((low & ~(EFER_SCE | EFER_NXE)) !== 0 || high !== 0) return cpu.fault(GP, 0);
      cpu.bus.gateInvalidation();
      if (cpu.stop !== 0) return;
      r[MSR_EFER] = low;
      cpu.bus.retarget();
    } else {
      const known = cpu.bus.writeMsr(msr, low, high);
      if (cpu.stop === 0 && !known) cpu.fault(GP, 0);
    }
  })
);
var MSR = [
  ["cpuid", cpuid],
  ["rdtsc", rdtsc],
  ["rdpmc", rdpmc],
  ["rdmsr", rdmsr],
  ["wrmsr", wrmsr]
];

// src/cpu/instructions/stack.ts
var push = (cpu, op) => {
  const value = cpu.get(op, op.a);
  if (cpu.stop !== 0) return;
  const r = cpu.r;
  if (op.a.kind === SREG && op.opSize === 4) {
    const mask2 = stackMask(r);
    const offset = r[ESP] - 4 & mask2;
    cpu.writeMemory(SS, offset, 2, value);
    if (cpu.stop === 0) r[ESP] = r[ESP] & ~mask2 | offset;
    return;
  }
  const esp = cpu.pushAt(r[ESP], op.opSize, value);
  if (cpu.stop === 0) r[ESP] = esp;
};
var pop = (cpu, op) => {
  const r = cpu.r;
  const value = cpu.readStack(0, op.a.kind === SREG ? 2 : op.opSize);
  if (cpu.stop !== 0) return;
  const esp = cpu.espAbove(op.opSize);
  if (op.a.kind === SREG) {
    loadRegister(cpu, op.a.value, value);
    if (cpu.stop === 0) r[ESP] = esp;
    return;
  }
  if (op.a.kind === MEM) {
    const moved = op.base === ESP ? esp - r[ESP] : 0;
    cpu.writeMemory(op.seg, cpu.address(op) + moved | 0, op.opSize, value);
    if (cpu.stop === 0) r[ESP] = esp;
    return;
  }
  r[ESP] = esp;
  cpu.setRegister(op.a.value, op.opSize, value);
};
function pushMany(cpu, size, values) {
  let esp = cpu.r[ESP];
  for (const value of values) {
    esp = cpu.pushAt(esp, size, value);
    if (cpu.stop !== 0) return;
  }
  cpu.r[ESP] = esp;
}
var popa = (cpu, op) => {
  const values = [];
  for (let n = 0; n < 8; n++) {
    values.push(cpu.readStack(n * op.opSize, op.opSize));
    if (cpu.stop !== 0) return;
  }
  const esp = cpu.espAbove(8 * op.opSize);
  for (let n = 0; n < 8; n++) if (7 - n !== ESP) cpu.setRegister(7 - n, op.opSize, values[n]);
  cpu.r[ESP] = esp;
};
function usesVirtualIf(cpu, size) {
  const r = cpu.r;
  if (!inVirtual8086(r) || ioplOf(r) === 3) return false;
  if (size === 4 || (r[CR4] & CR4_VME) === 0) cpu.fault(GP, 0);
  return true;
}
var pushf = (cpu, op) => {
  const virtual = usesVirtualIf(cpu, op.opSize);
  if (cpu.stop !== 0) return;
  let flags = cpu.r[EFLAGS] & ~(VM | RF);
  if (virtual) flags = flags & ~IF | IOPL | ((flags & VIF) !== 0 ? IF : 0);
  pushMany(cpu, op.opSize, [flags]);
};
var popf = (cpu, op) => {
  const r = cpu.r;
  const virtual = usesVirtualIf(cpu, op.opSize);
  if (cpu.stop !== 0) return;
  const value = cpu.readStack(0, op.opSize);
  if (cpu.stop !== 0) return;
  let loaded = ANY_LEVEL | NT | (op.opSize === 4 ? AC | ID : 0);
  if (virtual && ((value & TF) !== 0 || (value & IF) !== 0 && (r[EFLAGS] & VIP) !== 0)) return cpu.fault(GP, 0);
  if (cplOf(r) <= ioplOf(r)) loaded |= IF;
  if (cplOf(r) === 0) loaded |= IOPL;
  const flags = mergeFlags(cpu, value, loaded);
  r[ESP] = cpu.espAbove(op.opSize);
  r[EFLAGS] = virtual ? flags & ~VIF | ((value & IF) !== 0 ? VIF : 0) : flags;
};
var enter = (cpu, op) => {
  const r = cpu.r;
  const size = op.opSize;
  const level = op.imm2 & 31;
  const mask2 = stackMask(r);
  let esp = cpu.pushAt(r[ESP], size, cpu.register(EBP, size));
  const frame = esp;
  if (level > 0) {
    let ebp = r[EBP];
    for (let n = 1; n < level && cpu.stop === 0; n++) {
      ebp = ebp - size & mask2;
      esp = cpu.pushAt(esp, size, cpu.readMemory(SS, ebp, size));
    }
    if (cpu.stop === 0) esp = cpu.pushAt(esp, size, frame);
  }
  if (cpu.stop !== 0) return;
  esp = esp & ~mask2 | esp - op.a.value & mask2;
  const linear = cpu.linear(SS, esp & mask2, size, true);
  if (cpu.stop === 0) cpu.translate(linear, true);
  if (cpu.stop !== 0) return;
  r[ESP] = esp;
  cpu.setRegister(EBP, size, frame);
};
var leave = (cpu, op) => {
  const r = cpu.r;
  const mask2 = stackMask(r);
  const value = cpu.readMemory(SS, r[EBP] & mask2, op.opSize);
  if (cpu.stop !== 0) return;
  r[ESP] = r[ESP] & ~mask2 | r[EBP] + op.opSize & mask2;
  cpu.setRegister(EBP, op.opSize, value);
};
var STACK = [
  ["push", push],
  ["pop", pop],
  ["pusha", (cpu, op) => pushMany(cpu, op.opSize, Array.from(cpu.r.subarray(EAX, EDI + 1)))],
  ["popa", popa],
  ["pushf", pushf],
  ["popf", popf],
  ["enter", enter],
  ["leave", leave]
];

// src/cpu/handlers.ts
var GUEST_CALL_TAG = 22605;
var invalid = (cpu) => cpu.fault(UD);
var tooLong = (cpu) => cpu.fault(GP, 0);
var unimplemented = (cpu, op) => {
  cpu.fault(UD);
  cpu.remark = `xmcheck does not implement ${op.row.mnemonic}`;
};
function handlerOf(mnemonic) {
  return HANDLERS.get(mnemonic) ?? unimplemented;
}
var NEEDS = [
  ["486", ["bswap", "cmpxchg", "xadd", "invlpg", "invd", "wbinvd"]],
  ["cpuid", ["cpuid"]],
  ["tsc", ["rdtsc"]],
  ["msr", ["rdmsr", "wrmsr"]],
  ["cx8", ["cmpxchg8b"]],
  ["sep", ["sysenter", "sysexit"]],
  ["rdpmc", ["rdpmc"]],
  ["cmov", CONDITIONS.map((name) => `cmov${name}`)],
  ["fxsr", ["fxsave", "fxrstor"]],
  ["fences", ["lfence", "mfence", "sfence"]]
];
function guard(feature, handler) {
  return (cpu, op) => {
    if (cpu.cls.features.has(feature)) return handler(cpu, op);
    cpu.fault(UD);
    cpu.remark = `the ${cpu.cls.name} has no ${op.row.mnemonic}`;
  };
}
function finish(cpu, op, result, before2) {
  if (op.a.kind !== MEM) return cpu.setRegister(op.a.value, op.a.size, result);
  const after = cpu.r[EFLAGS];
  cpu.r[EFLAGS] = before2;
  cpu.set(op, op.a, result);
  if (cpu.stop === 0) cpu.r[EFLAGS] = after;
}
var binary = (kind) => (cpu, op) => {
  const writes = kind < ALU.cmp;
  const a = writes ? cpu.getForUpdate(op, op.a) : cpu.get(op, op.a);
  if (cpu.stop !== 0) return;
  const b = cpu.get(op, op.b);
  if (cpu.stop !== 0) return;
  const before2 = cpu.r[EFLAGS];
  const result = alu(cpu.r, kind, a, b, op.a.size);
  if (writes) finish(cpu, op, result, before2);
};
var unary = (compute) => (cpu, op) => {
  const a = cpu.getForUpdate(op, op.a);
  if (cpu.stop !== 0) return;
  const before2 = cpu.r[EFLAGS];
  finish(cpu, op, compute(cpu.r, a, op.a.size), before2);
};
var shifter = (kind) => (cpu, op) => {
  const count = cpu.get(op, op.b) & 31;
  const a = cpu.getForUpdate(op, op.a);
  if (cpu.stop !== 0 || count === 0) return;
  const before2 = cpu.r[EFLAGS];
  const result = shift(cpu.r, kind, a, count, op.a.size);
  if (cpu.is386 && kind >= 4) shift386(cpu.r, kind, a, result, count, op.a.size);
  finish(cpu, op, result, before2);
};
var doubleShift2 = (left) => (cpu, op) => {
  const bits = op.opSize * 8;
  const count = cpu.get(op, op.c) & 31;
  const a = cpu.getForUpdate(op, op.a);
  if (cpu.stop !== 0 || count === 0) return;
  const b = cpu.get(op, op.b);
  const result = bits === 32 ? left ? a << count | b >>> 32 - count : a >>> count | b << 32 - count : doubleShift16(left, a, b, count);
  const out = left ? a >>> bits - count & 1 : a >>> count - 1 & 1;
  cpu.set(op, op.a, result);
  if (cpu.stop !== 0) return;
  const sign = signBit(op.opSize);
  setFlags(cpu.r, resultFlags(result, op.opSize) | out | (((a ^ result) & sign) !== 0 ? OF : 0), CF | PF | ZF | SF | OF | AF);
};
function doubleShift16(left, a, b, count) {
  if (left) return count > 16 ? b : (a << 16 | b) >>> 16 - count & 65535;
  return (b << 16 | a) >>> count & 65535;
}
var bitTest = (change) => (cpu, op) => {
  if (op.lock) cpu.bus.locked = true;
  const bits = op.opSize * 8;
  const offset = cpu.get(op, op.b);
  const bit2 = 1 << (offset & bits - 1);
  const signed = op.opSize === 4 ? offset : offset << 16 >> 16;
  const at = op.a.kind === MEM ? cpu.address(op) + (op.b.kind === REG ? (signed >> (op.opSize === 4 ? 5 : 4)) * op.opSize : 0) : 0;
  const address = op.addrSize === 4 ? at | 0 : at & 65535;
  const memory = change ? cpu.readForUpdate : cpu.readMemory;
  const value = op.a.kind === MEM ? memory.call(cpu, op.seg, address, op.opSize) : cpu.get(op, op.a);
  if (cpu.stop !== 0) return;
  if (change) {
    if (op.a.kind === MEM) cpu.writeMemory(op.seg, address, op.opSize, change(value, bit2));
    else cpu.set(op, op.a, change(value, bit2));
    if (cpu.stop !== 0) return;
  }
  setFlags(cpu.r, (value & bit2) !== 0 ? CF : 0, CF);
  if (cpu.is386) bitTest386(cpu.r, value, offset & bits - 1, op.opSize);
};
var bitScan = (reverse) => (cpu, op) => {
  const value = cpu.get(op, op.b);
  if (cpu.stop !== 0) return;
  setFlags(cpu.r, value === 0 ? ZF : 0, ZF);
  if (value === 0) return;
  cpu.set(op, op.a, reverse ? 31 - Math.clz32(value) : 31 - Math.clz32(value & -value));
};
function highProduct(signed, a, b) {
  const low = (a & 65535) * (b & 65535);
  const middle = (a >>> 16) * (b & 65535) + (low >>> 16);
  const other = (a & 65535) * (b >>> 16) + (middle & 65535);
  const high = (a >>> 16) * (b >>> 16) + (middle >>> 16) + (other >>> 16);
  return signed ? high - (a < 0 ? b : 0) - (b < 0 ? a : 0) | 0 : high | 0;
}
function extended(signed, value, size) {
  const unused = 32 - size * 8;
  return signed ? value << unused >> unused : value << unused >>> unused;
}
var multiply2 = (signed) => (cpu, op) => {
  const r = cpu.r;
  const size = op.a.size;
  const b = cpu.get(op, op.a);
  if (cpu.stop !== 0) return;
  const a = cpu.register(EAX, size);
  let low;
  let high;
  if (size === 4) {
    low = Math.imul(a, b);
    high = highProduct(signed, a, b);
    r[EAX] = low;
    r[EDX] = high;
  } else {
    const product = extended(signed, a, size) * extended(signed, b, size);
    const bits = size * 8;
    low = mask(product, size);
    high = mask(product >> bits, size);
    if (size === 1) cpu.setRegister(EAX, 2, product);
    else {
      cpu.setRegister(EAX, 2, low);
      cpu.setRegister(EDX, 2, high);
    }
  }
  const fits2 = high === (signed && (low & signBit(size)) !== 0 ? mask(-1, size) : 0);
  setFlags(r, (fits2 ? 0 : CF | OF) | r[EFLAGS] & (SF | ZF | AF | PF));
};
var imul2 = (cpu, op) => {
  if (op.b.kind === 0) return multiply2(true)(cpu, op);
  const a = cpu.get(op, op.c.kind === 0 ? op.a : op.b);
  const b = cpu.get(op, op.c.kind === 0 ? op.b : op.c);
  if (cpu.stop === 0) cpu.set(op, op.a, imul(cpu.r, a, b, op.opSize));
};
var divide2 = (signed) => (cpu, op) => {
  const size = op.a.size;
  const divisor = extended(signed, cpu.get(op, op.a), size);
  if (cpu.stop !== 0) return;
  if (divisor === 0) return cpu.fault(DE);
  const r = cpu.r;
  const low = size === 1 ? extended(signed, r[EAX], 2) : size === 2 ? extended(signed, r[EDX] << 16 | r[EAX] & 65535, 4) : extended(signed, r[EAX], 4);
  if (size === 4 && r[EDX] !== (signed ? r[EAX] >> 31 : 0)) return divideLong(cpu, signed, divisor);
  const quotient = Math.trunc(low / divisor);
  if (quotient !== extended(signed, quotient, size)) return cpu.fault(DE);
  setQuotient(cpu, size, quotient, low % divisor);
};
function divideLong(cpu, signed, divisor) {
  const wide = BigInt(cpu.r[EDX] >>> 0) << 32n | BigInt(cpu.r[EAX] >>> 0);
  const dividend = signed ? BigInt.asIntN(64, wide) : wide;
  const quotient = dividend / BigInt(divisor);
  if (quotient !== (signed ? BigInt.asIntN(32, quotient) : BigInt.asUintN(32, quotient))) return cpu.fault(DE);
  setQuotient(cpu, 4, Number(quotient), Number(dividend % BigInt(divisor)));
}
function setQuotient(cpu, size, quotient, rest) {
  if (size === 1) return cpu.setRegister(EAX, 2, quotient & 255 | (rest & 255) << 8);
  cpu.setRegister(EAX, size, quotient);
  cpu.setRegister(EDX, size, rest);
}
var extendMove = (signed) => (cpu, op) => {
  const value = cpu.get(op, op.b);
  if (cpu.stop !== 0) return;
  const shiftBy = 32 - op.b.size * 8;
  cpu.set(op, op.a, signed ? value << shiftBy >> shiftBy : value);
};
var mov = (cpu, op) => {
  if (op.a.kind > SREG || op.b.kind > SREG) return moveSystem(cpu, op);
  if (op.a.kind === SREG || op.b.kind === SREG) return moveSegment(cpu, op);
  const value = cpu.get(op, op.b);
  if (cpu.stop === 0) cpu.set(op, op.a, value);
};
var cmpxchg = (cpu, op) => {
  const size = op.a.size;
  const old = cpu.getForUpdate(op, op.a);
  if (cpu.stop !== 0) return;
  const expected = cpu.register(EAX, size);
  const equal2 = mask(old, size) === mask(expected, size);
  cpu.compareFailed = !equal2;
  cpu.set(op, op.a, equal2 ? cpu.get(op, op.b) : old);
  if (cpu.stop !== 0) return;
  if (!equal2) cpu.setRegister(EAX, size, old);
  setFlags(cpu.r, subFlags(expected, old, 0, size));
};
var cmpxchg8b = (cpu, op) => {
  if (op.lock) cpu.bus.locked = true;
  const r = cpu.r;
  const linear = cpu.linear(op.seg, cpu.address(op), 8, true);
  if (cpu.stop !== 0) return;
  const crosses = (linear & 4095) > 4088;
  const physical = cpu.translate(linear, true);
  if (crosses && cpu.stop === 0) cpu.translate((linear & ~4095) + 4096 | 0, true);
  if (cpu.stop !== 0) return;
  const low = crosses ? cpu.readLinear(linear, 4) : cpu.bus.read64(physical);
  const high = crosses ? cpu.readLinear(linear + 4 | 0, 4) : cpu.bus.high;
  if (cpu.stop !== 0) return;
  const equal2 = low === r[EAX] && high === r[EDX];
  cpu.compareFailed = !equal2;
  const [newLow, newHigh] = equal2 ? [r[EBX], r[ECX]] : [low, high];
  if (crosses) {
    cpu.writeLinear(linear, 4, newLow);
    cpu.writeLinear(linear + 4 | 0, 4, newHigh);
  } else {
    cpu.storeAlias = (linear ^ physical) & ~4095;
    cpu.bus.write64(physical, newLow, newHigh);
  }
  if (cpu.stop !== 0) return;
  if (!equal2) {
    r[EAX] = low;
    r[EDX] = high;
  }
  setFlags(r, equal2 ? ZF : 0, ZF);
};
var xadd = (cpu, op) => {
  const size = op.a.size;
  const old = cpu.getForUpdate(op, op.a);
  if (cpu.stop !== 0) return;
  const added = cpu.get(op, op.b);
  if (op.a.kind === MEM) {
    cpu.set(op, op.a, mask(old + added, size));
    if (cpu.stop !== 0) return;
    cpu.set(op, op.b, old);
  } else {
    cpu.set(op, op.b, old);
    cpu.set(op, op.a, mask(old + added, size));
  }
  setFlags(cpu.r, addFlags(old, added, 0, size));
};
var xchg = (cpu, op) => {
  if (op.a.kind === MEM) cpu.bus.locked = true;
  const a = cpu.getForUpdate(op, op.a);
  if (cpu.stop !== 0) return;
  const b = cpu.get(op, op.b);
  cpu.set(op, op.a, b);
  if (cpu.stop === 0) cpu.set(op, op.b, a);
};
var nop = (cpu, op) => {
  if (op.modrm < 0) return;
  if (op.mod !== 2 || op.rm !== 0 || op.disp >>> 16 !== GUEST_CALL_TAG || op.row.alias) {
    if (!cpu.cls.features.has("nopl")) cpu.fault(UD);
    return;
  }
  const r = cpu.r;
  const result = cpu.bus.guestCall(op.disp & 65535, r[EAX], r[EDX], r[ECX]);
  if (cpu.stop === 0) r[EAX] = result;
};
function stringOp(usesSource, usesDestination, compares, step) {
  return (cpu, op) => {
    const r = cpu.r;
    const wide = op.addrSize;
    if (op.rep !== 0 && cpu.register(ECX, wide) === 0) return;
    const size = (op.row.opcode[0] & 1) === 0 ? 1 : op.opSize;
    const flags = step(cpu, op, cpu.register(ESI, wide), cpu.register(EDI, wide));
    if (cpu.stop !== 0) return;
    const move = (r[EFLAGS] & DF) !== 0 ? -size : size;
    if (usesSource) cpu.setRegister(ESI, wide, cpu.register(ESI, wide) + move);
    if (usesDestination) cpu.setRegister(EDI, wide, cpu.register(EDI, wide) + move);
    const count = op.rep === 0 ? 0 : mask(cpu.register(ECX, wide) - 1, wide);
    if (op.rep !== 0) cpu.setRegister(ECX, wide, count);
    const goesOn = count !== 0 && (!compares || (flags & ZF) !== 0 === (op.rep === 243));
    if (goesOn) cpu.repeat();
    else if (flags !== null) setFlags(r, flags);
  };
}
var elementSize = (op) => (op.row.opcode[0] & 1) === 0 ? 1 : op.opSize;
var movs = stringOp(true, true, false, (cpu, op, source, destination) => {
  const value = cpu.readMemory(op.seg, source, elementSize(op));
  if (cpu.stop === 0) cpu.writeMemory(ES, destination, elementSize(op), value);
  return null;
});
var stos = stringOp(false, true, false, (cpu, op, _source, destination) => {
  cpu.writeMemory(ES, destination, elementSize(op), cpu.register(EAX, elementSize(op)));
  return null;
});
var lods = stringOp(true, false, false, (cpu, op, source) => {
  const value = cpu.readMemory(op.seg, source, elementSize(op));
  if (cpu.stop === 0) cpu.setRegister(EAX, elementSize(op), value);
  return null;
});
var cmps = stringOp(true, true, true, (cpu, op, source, destination) => {
  const b = cpu.readMemory(ES, destination, elementSize(op));
  const a = cpu.stop === 0 ? cpu.readMemory(op.seg, source, elementSize(op)) : 0;
  return subFlags(a, b, 0, elementSize(op));
});
var scas = stringOp(false, true, true, (cpu, op, _source, destination) => {
  const b = cpu.readMemory(ES, destination, elementSize(op));
  return subFlags(cpu.register(EAX, elementSize(op)), b, 0, elementSize(op));
});
var flag = (bit2, value) => (cpu) => {
  cpu.r[EFLAGS] = value ? cpu.r[EFLAGS] | bit2 : cpu.r[EFLAGS] & ~bit2;
};
var HANDLERS = new Map([
  ...Object.entries(ALU).map(([name, kind]) => [name, binary(kind)]),
  ["inc", unary(inc)],
  ["dec", unary(dec)],
  ["neg", unary(neg)],
  ["not", unary((_r, a) => ~a)],
  ...["rol", "ror", "rcl", "rcr", "shl", "shr", "sal", "sar"].map((name, kind) => [name, shifter(kind)]),
  ["shld", doubleShift2(true)],
  ["shrd", doubleShift2(false)],
  ["bt", bitTest(null)],
  ["bts", bitTest((value, bit2) => value | bit2)],
  ["btr", bitTest((value, bit2) => value & ~bit2)],
  ["btc", bitTest((value, bit2) => value ^ bit2)],
  ["bsf", bitScan(false)],
  ["bsr", bitScan(true)],
  ["mul", multiply2(false)],
  ["imul", imul2],
  ["div", divide2(false)],
  ["idiv", divide2(true)],
  ["movzx", extendMove(false)],
  ["movsx", extendMove(true)],
  ["mov", mov],
  ["lea", (cpu, op) => cpu.set(op, op.a, cpu.address(op))],
  ["xchg", xchg],
  ["bswap", (cpu, op) => {
    const v = cpu.register(op.a.value, 4);
    cpu.setRegister(op.a.value, 4, v << 24 | (v & 65280) << 8 | v >>> 8 & 65280 | v >>> 24);
  }],
  ...CONDITIONS.flatMap((name, code) => [
    [`set${name}`, (cpu, op) => cpu.set(op, op.a, condition(cpu.r[EFLAGS], code) ? 1 : 0)],
    [`cmov${name}`, (cpu, op) => {
      const value = cpu.get(op, op.b);
      if (cpu.stop === 0 && condition(cpu.r[EFLAGS], code)) cpu.set(op, op.a, value);
    }]
  ]),
  ["ud2", invalid],
  ["cmpxchg", cmpxchg],
  ["cmpxchg8b", cmpxchg8b],
  ["xadd", xadd],
  ["cbw", (cpu, op) => cpu.setRegister(EAX, op.opSize, op.opSize === 4 ? cpu.r[EAX] << 16 >> 16 : cpu.r[EAX] << 24 >> 24)],
  ["cwd", (cpu, op) => cpu.setRegister(EDX, op.opSize, op.opSize === 4 ? cpu.r[EAX] >> 31 : cpu.r[EAX] << 16 >> 31)],
  ["lahf", (cpu) => cpu.setRegister(4, 1, cpu.r[EFLAGS] & 213 | 2)],
  ["sahf", (cpu) => setFlags(cpu.r, cpu.register(4, 1), SF | ZF | AF | PF | CF)],
  ["clc", flag(CF, false)],
  ["stc", flag(CF, true)],
  ["cmc", (cpu) => {
    cpu.r[EFLAGS] ^= CF;
  }],
  ["cld", flag(DF, false)],
  ["std", flag(DF, true)],
  ["nop", nop],
  ["pause", () => {
  }],
  ["lfence", () => {
  }],
  ["sfence", (cpu) => cpu.bus.orderStores()],
  ["mfence", (cpu) => cpu.bus.fence()],
  ["movs", movs],
  ["stos", stos],
  ["lods", lods],
  ["cmps", cmps],
  ["scas", scas],
  ["xlat", (cpu, op) => {
    const at = cpu.register(EBX, op.addrSize) + (cpu.r[EAX] & 255) | 0;
    const value = cpu.readMemory(op.seg, op.addrSize === 4 ? at : at & 65535, 1);
    if (cpu.stop === 0) cpu.setRegister(EAX, 1, value);
  }],
  ...BCD,
  ...BRANCH,
  ...FAR,
  ...FPU,
  ...IO,
  ...MSR,
  ...SEGMENT,
  ...STACK,
  ...SYSTEM
]);
for (const [feature, mnemonics2] of NEEDS)
  for (const mnemonic of mnemonics2) HANDLERS.set(mnemonic, guard(feature, HANDLERS.get(mnemonic)));

// src/cpu/decode.ts
var NONE = 0;
var REG = 1;
var MEM = 2;
var IMM = 3;
var SREG = 4;
var CREG = 5;
var DREG = 6;
var IMPLIED = 7;
var NO_OPERAND = { kind: NONE, size: 0, value: 0 };
var Op = class {
  handler = invalid;
  row = null;
  /** Bytes; 0: the bytes given end before the instruction does. */
  length = 0;
  /** D bit of the code segment it was decoded for. */
  code32 = true;
  /** Operand and address size in bytes, 2 or 4. */
  opSize = 4;
  addrSize = 4;
  /** Segment of the memory operand, and whether a prefix chose it. */
  seg = DS;
  segPrefix = false;
  /** 0, 0xf2 or 0xf3. */
  rep = 0;
  lock = false;
  modrm = -1;
  /** Memory operand: base and index register (-1: none), scale as a shift, displacement. */
  base = -1;
  index = -1;
  scale = 0;
  disp = 0;
  a = NO_OPERAND;
  b = NO_OPERAND;
  c = NO_OPERAND;
  /** Second immediate: selector of a far pointer, or ENTER's level. */
  imm2 = 0;
  get mod() {
    return this.modrm >> 6;
  }
  get reg() {
    return this.modrm >> 3 & 7;
  }
  get rm() {
    return this.modrm & 7;
  }
  /** Immediate or relative displacement of the first operand that is one. */
  get imm() {
    return this.a.kind === IMM ? this.a.value : this.b.kind === IMM ? this.b.value : this.c.value;
  }
};
var LENGTH_MAX = 15;
var ROWS = new Array(512);
for (const row of ISA) {
  const last = row.opcode[row.opcode.length - 1] + (row.opcode.length === 2 ? 256 : 0);
  for (let k = 0; k < (row.plusR ? 8 : 1); k++) ROWS[last + k] = [...ROWS[last + k] ?? [], row];
}
var NO_MODRM_0F = /* @__PURE__ */ new Set([4, 5, 7, 10, 12, 14, 15, 36, 37, 38, 39, 54, 55, 119, 170]);
var Reader = class {
  bytes;
  at;
  end;
  short = false;
  constructor(bytes, at, available) {
    this.bytes = bytes;
    this.at = at;
    this.end = at + Math.min(available, LENGTH_MAX);
  }
  byte() {
    if (this.at >= this.end) {
      this.short = true;
      return 0;
    }
    return this.bytes[this.at++];
  }
  word() {
    const low = this.byte();
    return low | this.byte() << 8;
  }
  dword() {
    const low = this.word();
    return low | this.word() << 16;
  }
  sized(bytes) {
    return bytes === 1 ? this.byte() : bytes === 2 ? this.word() : this.dword();
  }
  signed(bytes) {
    return bytes === 1 ? this.byte() << 24 >> 24 : bytes === 2 ? this.word() << 16 >> 16 : this.dword();
  }
};
function decode(bytes, at, available, code32) {
  const op = new Op();
  const reader = new Reader(bytes, at, available);
  const finish4 = () => {
    if (!reader.short) op.length = reader.at - at;
    else if (available >= LENGTH_MAX) {
      op.length = LENGTH_MAX;
      op.handler = tooLong;
      op.row = null;
    } else op.length = 0;
    return op;
  };
  op.code32 = code32;
  op.opSize = op.addrSize = code32 ? 4 : 2;
  let opcode = readPrefixes(op, reader, code32);
  if (reader.short) return finish4();
  if (opcode === 15) {
    opcode = 256 + reader.byte();
    if (reader.short) return finish4();
  }
  const rows = ROWS[opcode];
  if (rows === void 0) {
    if (opcode >= 256 && !NO_MODRM_0F.has(opcode - 256)) readModrm(op, reader);
    return finish4();
  }
  if (rows[0].operands.includes("Rd")) op.modrm = reader.byte() | 192;
  else if (rows[0].modrm) readModrm(op, reader);
  if (reader.short) return finish4();
  const row = selectRow(rows, op);
  if (row === null) return finish4();
  op.row = row;
  op.handler = handlerOf(row.mnemonic);
  op.a = readOperand(op, reader, row.operands[0], opcode);
  op.b = readOperand(op, reader, row.operands[1], opcode);
  op.c = readOperand(op, reader, row.operands[2], opcode);
  const memory = op.modrm >= 0 && op.mod !== 3;
  const needsMemory = row.operands.some((code) => code[0] === "M");
  if (needsMemory && !memory) op.handler = invalid;
  if (row.opcode[1] === 174 && (op.rep !== 0 || op.opSize !== (code32 ? 4 : 2) || memory && row.operands.length === 0)) op.handler = invalid;
  if (op.a.kind === SREG && row.mnemonic === "mov" && (op.a.value === CS || op.a.value > GS)) op.handler = invalid;
  if (op.lock && !(row.lockable && op.a.kind === MEM)) op.handler = invalid;
  return finish4();
}
function readPrefixes(op, reader, code32) {
  for (; ; ) {
    const byte2 = reader.byte();
    switch (byte2) {
      case 38:
        op.seg = ES;
        op.segPrefix = true;
        break;
      case 46:
        op.seg = CS;
        op.segPrefix = true;
        break;
      case 54:
        op.seg = SS;
        op.segPrefix = true;
        break;
      case 62:
        op.seg = DS;
        op.segPrefix = true;
        break;
      case 100:
        op.seg = FS;
        op.segPrefix = true;
        break;
      case 101:
        op.seg = GS;
        op.segPrefix = true;
        break;
      case 102:
        op.opSize = code32 ? 2 : 4;
        break;
      case 103:
        op.addrSize = code32 ? 2 : 4;
        break;
      case 240:
        op.lock = true;
        break;
      case 242:
      case 243:
        op.rep = byte2;
        break;
      default:
        return byte2;
    }
    if (reader.short) return 0;
  }
}
function selectRow(rows, op) {
  let found2 = null;
  for (const row of rows) {
    if (row.digit >= 0 && row.digit !== op.reg) continue;
    if (row.prefix !== 0 && row.prefix !== op.rep) continue;
    if (found2 === null || row.prefix !== 0) found2 = row;
  }
  return found2;
}
function readModrm(op, reader) {
  op.modrm = reader.byte();
  if (op.mod === 3) return;
  if (op.addrSize === 2) readModrm16(op, reader);
  else readModrm32(op, reader);
}
function readModrm32(op, reader) {
  let base = op.rm;
  if (base === 4) {
    const sib = reader.byte();
    base = sib & 7;
    op.index = sib >> 3 & 7;
    op.scale = sib >> 6;
    if (op.index === 4) op.index = -1;
  }
  if (op.mod === 0 && base === 5) op.disp = reader.dword();
  else op.base = base;
  if (op.mod === 1) op.disp = reader.signed(1);
  else if (op.mod === 2) op.disp = reader.dword();
  if ((op.base === 4 || op.base === 5) && !op.segPrefix) op.seg = SS;
}
var BASE16 = [3, 3, 5, 5, 6, 7, 5, 3];
var INDEX16 = [6, 7, 6, 7, -1, -1, -1, -1];
function readModrm16(op, reader) {
  if (op.mod === 0 && op.rm === 6) op.disp = reader.word();
  else {
    op.base = BASE16[op.rm];
    op.index = INDEX16[op.rm];
    if (op.mod === 1) op.disp = reader.signed(1);
    else if (op.mod === 2) op.disp = reader.word();
    if (op.base === 5 && !op.segPrefix) op.seg = SS;
  }
}
var FIXED_SREG = { ES, CS, SS, DS, FS, GS };
function readOperand(op, reader, code, opcode) {
  if (code === void 0) return NO_OPERAND;
  if (code in FIXED_SREG) return { kind: SREG, size: op.opSize, value: FIXED_SREG[code] };
  switch (code) {
    case "AL":
      return { kind: REG, size: 1, value: EAX };
    case "CL":
      return { kind: REG, size: 1, value: ECX };
    case "DX":
      return { kind: REG, size: 2, value: EDX };
    case "eAX":
      return { kind: REG, size: op.opSize, value: EAX };
    case "1":
      return { kind: IMM, size: 1, value: 1 };
    case "sIb":
      return { kind: IMM, size: op.opSize, value: reader.signed(1) };
    case "Ap": {
      const value = reader.sized(op.opSize);
      op.imm2 = reader.word();
      return { kind: IMM, size: op.opSize, value };
    }
    case "Rd":
      return { kind: REG, size: 4, value: op.rm };
    case "Cd":
      return { kind: CREG, size: 4, value: op.reg };
    case "Dd":
      return { kind: DREG, size: 4, value: op.reg };
    case "Sw":
      return { kind: SREG, size: 2, value: op.reg };
  }
  const size = sizeOf(code, op);
  switch (code[0]) {
    case "E":
    case "M":
      return op.mod === 3 ? { kind: REG, size, value: op.rm } : { kind: MEM, size, value: 0 };
    case "G":
      return { kind: REG, size, value: op.reg };
    case "Z":
      return { kind: REG, size, value: opcode & 7 };
    case "I":
      if (op.row.mnemonic === "enter" && code === "Ib") {
        op.imm2 = reader.byte();
        return NO_OPERAND;
      }
      return { kind: IMM, size, value: reader.sized(size) };
    case "J":
      return { kind: IMM, size, value: reader.signed(size) };
    case "O":
      op.disp = reader.sized(op.addrSize);
      return { kind: MEM, size, value: 0 };
    default:
      return { kind: IMPLIED, size, value: 0 };
  }
}
function sizeOf(code, op) {
  switch (code[1]) {
    case "b":
      return 1;
    case "w":
      return 2;
    case "q":
      return 8;
    default:
      return op.opSize;
  }
}

// src/explore/auto.ts
var FIRST_EVENTS = 2e5;
var EXHAUSTIVE_SHARE = 0.75;
var AutoSearch = class {
  #options;
  #started = performance.now();
  #running = [];
  #turn = 0;
  #budget;
  #until;
  #winner = null;
  #why = "";
  #sampling = null;
  #interrupted = false;
  constructor(options) {
    this.#options = options;
    this.#budget = options.firstEvents ?? FIRST_EVENTS;
    this.#until = this.#budget;
  }
  /** The engine whose verdict is given. */
  get engine() {
    return this.#answering.name;
  }
  advance() {
    if (this.#winner !== null || this.#interrupted) return false;
    const { seconds = Infinity } = this.#options;
    const elapsed = (performance.now() - this.#started) / 1e3;
    if (this.#sampling !== null) return this.#sample(elapsed > seconds);
    const contender = this.#present();
    if (contender === null) return this.#allFailed();
    if (elapsed > seconds) return this.#timeIsOver();
    if (this.#options.sampling !== null && elapsed > seconds * EXHAUSTIVE_SHARE) {
      this.#startSampling(this.#options.sampling, `no engine had come to an end in ${Math.round(elapsed)} s: the rest of the time was for samples`);
      return true;
    }
    if (contender.search.advance()) {
      if (contender.search.progress().events >= this.#until) this.#next();
      return true;
    }
    const verdict = contender.search.verdict();
    if (verdict.verdict === "unknown") {
      contender.failed = verdict;
      this.#next();
      return true;
    }
    this.#winner = contender;
    this.#why = this.#reasonOf(contender);
    return false;
  }
  stop() {
    this.#interrupted = true;
    for (const { search, failed } of [...this.#running, ...this.#sampling === null ? [] : [this.#sampling]]) if (failed === null) search.stop();
  }
  progress() {
    return this.#running.length === 0 ? { states: 0, events: 0, preemptions: 0 } : this.#answering.search.progress();
  }
  verdict() {
    if (this.#running.length === 0) this.#present();
    const verdict = this.#answering.search.verdict();
    return { ...verdict, chosen: this.#why === "" ? `${this.#answering.name}: the search was left before an engine had come to an end` : this.#why };
  }
  /** The engine whose turn it is; null: none can go on. */
  #present() {
    const { exhaustive } = this.#options;
    if (this.#turn < exhaustive.length && this.#running.length === this.#turn) this.#running.push({ name: exhaustive[this.#turn].name, search: exhaustive[this.#turn].start(), failed: null });
    const open = this.#running.filter((one) => one.failed === null);
    return open.length === 0 && this.#running.length === exhaustive.length ? null : this.#running[this.#turn % this.#running.length];
  }
  #next() {
    const { exhaustive } = this.#options;
    for (let k = 0; k < exhaustive.length; k++) {
      this.#turn++;
      if (this.#turn >= exhaustive.length && this.#turn % exhaustive.length === 0) {
        this.#budget *= 2;
        this.#until += this.#budget;
      }
      if (this.#turn < exhaustive.length || this.#running[this.#turn % exhaustive.length].failed === null) return;
    }
  }
  #reasonOf(winner) {
    const others = this.#running.filter((one) => one !== winner);
    const alone = this.#options.exhaustive.length === 1 ? `${winner.name}: what was asked for needs it` : `${winner.name}: it came to an end within its first ${this.#until} events`;
    if (others.length === 0) return alone;
    const states = others.map(({ name, search, failed }) => failed === null ? `${name} was still at it after ${search.progress().events} events` : `${name} could not: ${failed.reasons[0] ?? "no answer"}`);
    return `${winner.name}: it came to an end after ${winner.search.progress().events} events; ${states.join("; ")}`;
  }
  #allFailed() {
    if (this.#options.sampling === null) {
      this.#winner = this.#running[0];
      this.#why = this.#reasonOf(this.#winner);
      return false;
    }
    this.#startSampling(this.#options.sampling, this.#running.map(({ name, failed }) => `${name} gave no answer: ${failed?.reasons[0] ?? ""}`).join("; "));
    return true;
  }
  #timeIsOver() {
    for (const { search, failed } of this.#running) if (failed === null) search.stop();
    return this.#allFailed();
  }
  #startSampling({ name, start }, why) {
    this.#sampling = { name, search: start(), failed: null };
    this.#why = why;
  }
  #sample(over) {
    const sampling = this.#sampling;
    if (over) sampling.search.stop();
    if (sampling.search.advance() && !over) return true;
    for (const one of this.#running) if (one.failed === null) one.search.stop();
    const bounded3 = this.#running.find((one) => (one.failed ?? one.search.verdict()).verdict === "holds");
    const found2 = sampling.search.verdict().verdict === "violated";
    this.#winner = !found2 && bounded3 !== void 0 ? bounded3 : sampling;
    this.#why = `${this.#winner.name}: ${this.#why}`;
    return false;
  }
  get #answering() {
    return this.#winner ?? this.#sampling ?? this.#running.find((one) => one.failed === null) ?? this.#running[0];
  }
};

// src/explore/checkpoint.ts
import { Packr, Unpackr } from "msgpackr";

// src/smp/choice.ts
var RUN = 0;
var DRAIN = 1;
var INTERRUPT = 2;
var NMI = 3;
function packChoice(kind, vcpu, argument = 0) {
  return argument << 12 | kind << 8 | vcpu;
}
function choiceVcpu(choice) {
  return choice & 255;
}
function choiceKind(choice) {
  return choice >>> 8 & 15;
}
function choiceArgument(choice) {
  return choice >>> 12;
}

// src/smp/footprint.ts
var FP_READ = 0;
var FP_WRITE = 1;
var FP_MEMORY_READ = 2;
var FP_RESOURCE_READ = 3;
var FP_RESOURCE_WRITE = 4;
var FP_FENCE = 5;
var FP_LIFETIME = 6;
var FP_FETCH = 7;
var FP_STALE_FETCH = 8;
var FP_CODE_SEEN = 9;
var FP_WORDS = 4;
var RESOURCE_HISTORY = 0;
var RESOURCE_MARKS = 1;
var RESOURCE_VCPU = 2;
var Footprint = class {
  words = new Int32Array(64);
  /** Words used. */
  length = 0;
  clear() {
    this.length = 0;
  }
  add(kind, address, sizeBytes, source = -1) {
    if (this.length === this.words.length) {
      const words = new Int32Array(this.words.length * 2);
      words.set(this.words);
      this.words = words;
    }
    const at = this.length;
    this.words[at] = kind;
    this.words[at + 1] = address;
    this.words[at + 2] = sizeBytes;
    this.words[at + 3] = source;
    this.length = at + FP_WORDS;
  }
  /** Takes over `count` words of rows. */
  load(from, at, count) {
    if (count > this.words.length) this.words = new Int32Array(count * 2);
    for (let k = 0; k < count; k++) this.words[k] = from[at + k];
    this.length = count;
  }
  /** Shared data was loaded. */
  hasLoads() {
    for (let at = 0; at < this.length; at += FP_WORDS) if (this.words[at] === FP_READ) return true;
    return false;
  }
  /** A data load; a row for each run of bytes that come from one place. */
  addLoad(buffer, physical, sizeBytes) {
    if (!buffer.overlaps(physical, sizeBytes)) return this.add(FP_READ, physical, sizeBytes);
    let from = 0;
    let source = buffer.sourceOf(physical);
    for (let b = 1; b <= sizeBytes; b++) {
      const next = b < sizeBytes ? buffer.sourceOf(physical + b) : -2;
      if (next === source) continue;
      this.add(FP_READ, physical + from, b - from, source);
      from = b;
      source = next;
    }
  }
};

// src/explore/explorable.ts
function finish2(search, onProgress) {
  while (search.advance()) onProgress?.(search.progress());
  return search.verdict();
}
function remake(old, makeMachine) {
  old.sharing.grown = false;
  return makeMachine();
}
var CHOICES_MAX = 8192;

// src/explore/liveness/fairness.ts
var NOBODY = -1;
function obligationOf(choice, vcpus) {
  const kind = choiceKind(choice);
  const vcpu = choiceVcpu(choice);
  if (kind === RUN) return vcpu;
  if (kind === DRAIN) return choiceArgument(choice) === 0 ? vcpus + vcpu : NOBODY;
  if (kind === INTERRUPT && choiceArgument(choice) >>> 8 === 0) return 2 * vcpus + vcpu;
  if (kind === NMI && choiceArgument(choice) === 0) return 3 * vcpus + vcpu;
  return NOBODY;
}
function isStrong(obligation, vcpus) {
  return obligation >= 2 * vcpus;
}
function isFinite(machine, choice) {
  return choiceKind(choice) !== DRAIN && obligationOf(choice, machine.vcpuCount) === NOBODY || machine.isStaleView(choice);
}

// src/explore/liveness/lasso.ts
var CLOSING_EVENTS_MAX = 1e5;
function closeFairly(machine, schedule) {
  for (const choice of schedule) if (machine.take(choice) !== 0) return null;
  const all = [...schedule];
  const enabled = new Int32Array(CHOICES_MAX);
  const seen = /* @__PURE__ */ new Map();
  const vcpus = machine.vcpuCount;
  while (all.length < schedule.length + CLOSING_EVENTS_MAX) {
    const key = `${machine.store.h0} ${machine.store.h1}`;
    const from = seen.get(key);
    if (from !== void 0) return { schedule: all, from };
    seen.set(key, all.length);
    let moved = false;
    for (let turn2 = 0; turn2 < 2 * vcpus; turn2++) {
      for (; ; ) {
        const choices = enabled.subarray(0, machine.enabled(enabled));
        const interrupt = choices.find((one) => isStrong(obligationOf(one, vcpus), vcpus));
        const choice = interrupt ?? choices.find((one) => obligationOf(one, vcpus) === turn2 && !isFinite(machine, one));
        if (choice === void 0) break;
        all.push(choice);
        moved = true;
        if (machine.take(choice) !== 0) return null;
        if (interrupt === void 0) break;
      }
    }
    if (!moved) return null;
  }
  return null;
}
function judgeLasso(machine, { schedule, from }, victim) {
  const vcpus = machine.vcpuCount;
  const enabled = new Int32Array(CHOICES_MAX);
  const offered = new Int32Array(4 * vcpus);
  const acted = new Int32Array(4 * vcpus);
  const reads2 = Array.from({ length: vcpus }, () => /* @__PURE__ */ new Set());
  const written = /* @__PURE__ */ new Map();
  let progressed = 0;
  let effects = 0;
  let touched = 0;
  let [h0, h1] = [0, 0];
  for (let step = 0; step < schedule.length; step++) {
    const choice = schedule[step];
    const choices = enabled.subarray(0, machine.enabled(enabled));
    if (!choices.includes(choice)) return null;
    if (step === from) [h0, h1] = [machine.store.h0, machine.store.h1];
    if (step >= from) {
      const here = new Set(Array.from(choices, (one) => obligationOf(one, vcpus)));
      for (const one of here) if (one !== NOBODY) offered[one]++;
      if (isFinite(machine, choice)) return null;
      acted[obligationOf(choice, vcpus)]++;
    }
    if (machine.take(choice) !== 0) return null;
    const vcpu = choiceVcpu(choice);
    const { words, length: length2 } = machine.footprint;
    for (let at = 0; at < length2; at += FP_WORDS) {
      if (words[at] === FP_WRITE && machine.effect) written.set(words[at + 1], vcpu);
      if (words[at] === FP_READ && step >= from) reads2[vcpu].add(words[at + 1]);
    }
    if (step < from) continue;
    progressed |= machine.progressed;
    if (machine.effect) effects |= 1 << vcpu;
    if (machine.touched) touched |= 1 << vcpu;
  }
  const length = schedule.length - from;
  if (length <= 0 || machine.store.h0 !== h0 || machine.store.h1 !== h1) return null;
  for (let one = 0; one < 4 * vcpus; one++)
    if (acted[one] === 0 && (isStrong(one, vcpus) ? offered[one] > 0 : offered[one] === length)) return null;
  if (machine.hasEnded(victim)) return null;
  return describe(machine, { victim, length, effects, progressed, touched, reads: reads2, written });
}
function whoWaits(machine, { schedule, from }) {
  const executed = Array.from({ length: machine.vcpuCount }, () => /* @__PURE__ */ new Set());
  schedule.forEach((choice, step) => {
    if (step === from) {
      executed.forEach((places, v) => places.add(machine.eip(v)));
      machine.observer = (event) => event.kind === "instruction" && executed[event.vcpu].add(event.address);
    }
    machine.take(choice);
    if (step >= from) executed[choiceVcpu(choice)].add(machine.eip(choiceVcpu(choice)));
  });
  machine.observer = null;
  const open = [...executed.keys()].filter((v) => !machine.hasEnded(v));
  const waits = (out) => out === "ends" || out === "acts" && open.length === executed.length;
  return open.filter((v) => waits(machine.wayOut(v, executed[v])));
}
function goesRound(makeMachine, schedule, victim) {
  const lasso = closeFairly(makeMachine(), schedule);
  const violation = lasso && judgeLasso(makeMachine(), lasso, victim);
  return violation && lasso && { lasso, violation };
}
var NAMED_MAX = 3;
function describe(machine, round) {
  const { victim, length, effects, progressed, touched, reads: reads2, written } = round;
  const open = Array.from({ length: machine.vcpuCount }, (_, v) => v).filter((v) => !machine.hasEnded(v));
  const others = progressed & ~(1 << victim);
  const unwritten = (v) => (touched >>> v & 1) === 1 && [...reads2[v]].every((address) => !written.has(address));
  let kind;
  let what;
  if (effects === 0 && open.some((v) => machine.sleeps(v))) [kind, what] = [machine.kindOfStandstill(), "nobody can go on"];
  else if (effects === 0 && open.length === 1 && machine.vcpuCount > 1 && unwritten(victim)) [kind, what] = ["lost-wakeup", "what it waits for never comes"];
  else if (effects === 0) [kind, what] = ["deadlock", "nobody can go on"];
  else if (machine.sleeps(victim)) [kind, what] = ["lost-wakeup", `nobody wakes vCPU ${victim}`];
  else if ((progressed & 1 << victim) !== 0) [kind, what] = ["livelock", `vCPU ${victim} passes its progress marks for ever, but never ends`];
  else if (others !== 0 || (effects & 1 << victim) === 0) [kind, what] = ["starvation", `the others get on for ever, vCPU ${victim} does not`];
  else [kind, what] = ["livelock", "all go on for ever, none gets anywhere"];
  const named = effects === 0 || kind === "livelock" ? open : [victim];
  const waits = named.map((v) => {
    if (machine.sleeps(v)) return machine.describeWait(v);
    const places = [...reads2[v]].slice(0, NAMED_MAX).map((address) => {
      const writer = written.get(address);
      return `${machine.symbolize(address)} (${writer === void 0 ? "which nobody has written" : `written last by vCPU ${writer}`})`;
    });
    return `vCPU ${v} goes round at ${machine.place(v)}${places.length === 0 ? "" : `, reading ${places.join(", ")}`}`;
  });
  return { kind, message: `${what}: ${waits.join("; ")}; a fair cycle of ${length} events`, vcpu: victim, eip: machine.eip(victim) };
}

// src/explore/liveness/stateGraph.ts
var NOWHERE = -1;
var EDGE_FINITE = 1 << 31;
var EDGE_PROGRESS = 1 << 30;
var EDGE_EFFECT = 1 << 29;
var CHOICE_MASK = EDGE_EFFECT - 1;
var Labeller = class {
  #machine;
  #choice = 0;
  constructor(machine) {
    this.#machine = machine;
  }
  before(choice) {
    this.#choice = choice | (isFinite(this.#machine, choice) ? EDGE_FINITE : 0);
  }
  after() {
    const { progressed, effect } = this.#machine;
    return this.#choice | (progressed !== 0 ? EDGE_PROGRESS : 0) | (effect ? EDGE_EFFECT : 0);
  }
};
var StateGraph = class {
  edgesMax;
  /** Too large: nothing is kept any more. */
  full = false;
  states = 0;
  edges = 0;
  /** vCPUs that passed a progress mark on some transition, as bits. */
  progressed = 0;
  /** Per state: first edge, number of edges, vCPUs that have ended (as bits). */
  starts = new Int32Array(1024);
  counts = new Int32Array(1024);
  ended = new Int32Array(1024);
  /** Per edge. */
  targets = new Int32Array(4096);
  labels = new Int32Array(4096);
  constructor(edgesMax) {
    this.edgesMax = edgesMax;
  }
  /** Keeps the transitions of `state`: `edges` holds targets and labels, alternating. */
  add(state, ended, edges) {
    const count = edges.length >> 1;
    if (this.full || this.edges + count > this.edgesMax) {
      this.full = true;
      return;
    }
    while (state >= this.starts.length) {
      this.starts = grown(this.starts);
      this.counts = grown(this.counts);
      this.ended = grown(this.ended);
    }
    while (this.edges + count > this.targets.length) {
      this.targets = grown(this.targets);
      this.labels = grown(this.labels);
    }
    this.starts[state] = this.edges;
    this.counts[state] = count;
    this.ended[state] = ended;
    for (let k = 0; k < edges.length; k += 2) {
      if ((edges[k + 1] & EDGE_PROGRESS) !== 0) this.progressed |= 1 << choiceVcpu(edges[k + 1]);
      this.targets[this.edges] = edges[k];
      this.labels[this.edges++] = edges[k + 1];
    }
    this.states = Math.max(this.states, state + 1);
  }
};
function isLive(machine) {
  return "isStaleView" in machine;
}
function endedOf(machine) {
  let ended = 0;
  for (let v = 0; v < machine.vcpuCount; v++) if (machine.hasEnded(v)) ended |= 1 << v;
  return ended;
}
function grown(array) {
  const bigger = new Int32Array(array.length * 2);
  bigger.set(array);
  return bigger;
}

// src/explore/dpor/cells.ts
var CELL_READ = 0;
var CELL_WRITE = 1;
var CELL_MEMORY_READ = 2;
var CELL_FETCH = 4;
var CELL_STALE_FETCH = 6;
var GRANULES_MAX = (1 << 24) - 2;
var NOTHING2 = 0;
var UNKNOWN = 2147483647;
var cellKind = (cell) => cell & 7;
var cellMask = (cell) => cell >> 3 & 15;
var cellGranule = (cell) => (cell >> 7) - 1;
var makeCell = (granule, mask2, kind) => granule + 1 << 7 | mask2 << 3 | kind;
var sameGranule = (a, b) => a >> 7 === b >> 7;
var Cells = class {
  /** Cells of the last `read`, and for each the own buffer entry that it was forwarded from (-1: memory). */
  cells = new Int32Array(16);
  sources = new Int32Array(16);
  count = 0;
  /** A fence before the first access, and one after it. */
  fenceBefore = false;
  fenceAfter = false;
  /** Memory became dead or live. */
  lifetime = false;
  /** Code writes among the accesses. */
  codeWrites = 0;
  /** Code writes that a fetch which may be stale has to come after; -1: there is no such fetch. */
  codeSeen = -1;
  #granules;
  #lists = [new Int32Array(0)];
  #listReads = [0];
  #listWrites = [0];
  #numbers = /* @__PURE__ */ new Map();
  constructor(granules) {
    this.#granules = granules;
  }
  read(footprint) {
    this.count = 0;
    this.fenceBefore = false;
    this.fenceAfter = false;
    this.lifetime = false;
    this.codeWrites = 0;
    this.codeSeen = -1;
    const { words, length } = footprint;
    for (let at = 0; at < length; at += FP_WORDS) {
      const address = words[at + 1];
      switch (words[at]) {
        case FP_READ:
          this.#addBytes(address, words[at + 2], CELL_READ, words[at + 3]);
          break;
        case FP_WRITE:
          this.#addBytes(address, words[at + 2], CELL_WRITE, -1);
          break;
        case FP_MEMORY_READ:
          this.#addBytes(address, words[at + 2], CELL_MEMORY_READ, -1);
          break;
        case FP_FETCH:
          this.#addBytes(address, words[at + 2], CELL_FETCH, -1);
          break;
        case FP_RESOURCE_READ:
          this.#add(makeCell(this.#granules.memory + address, 15, CELL_MEMORY_READ), -1);
          break;
        case FP_STALE_FETCH:
          this.#addBytes(address, words[at + 2], CELL_STALE_FETCH, -1);
          break;
        case FP_CODE_SEEN:
          this.codeSeen = address;
          break;
        case FP_RESOURCE_WRITE:
          if (address === RESOURCE_HISTORY) this.codeWrites++;
          this.#add(makeCell(this.#granules.memory + address, 15, CELL_WRITE), -1);
          break;
        case FP_FENCE:
          if (this.count === 0) this.fenceBefore = true;
          else this.fenceAfter = true;
          break;
        case FP_LIFETIME:
          this.lifetime = true;
      }
    }
  }
  /** The number of the cells of the last `read`. */
  number() {
    if (this.count === 0) return NOTHING2;
    if (this.count === 1) return this.cells[0];
    const key = this.cells.subarray(0, this.count).join();
    const known = this.#numbers.get(key);
    if (known !== void 0) return known;
    const number2 = -this.#lists.length;
    const list = this.cells.slice(0, this.count);
    this.#lists.push(list);
    this.#listReads.push(list.reduce((bits, cell) => bits | this.readsOf(cell), 0));
    this.#listWrites.push(list.reduce((bits, cell) => bits | this.writesOf(cell), 0));
    this.#numbers.set(key, number2);
    return number2;
  }
  /** The number of what a wait that has read the cells waits for: what its fetches can see too. */
  waitNumber() {
    if (this.codeSeen < 0) return this.number();
    const { count } = this;
    this.#add(makeCell(this.#granules.memory + RESOURCE_HISTORY, 15, CELL_MEMORY_READ), -1);
    const number2 = this.number();
    this.count = count;
    return number2;
  }
  /** Whether something that others do can conflict with the event. */
  concernsOthers(touched) {
    if (touched < 0) return this.#lists[-touched].some((cell) => cellKind(cell) !== CELL_STALE_FETCH);
    return touched !== NOTHING2 && (touched === UNKNOWN || cellKind(touched) !== CELL_STALE_FETCH);
  }
  /** Whether the event writes to resource k. */
  writesResource(touched, k) {
    if (touched < 0) return this.#lists[-touched].some((cell) => this.writesResource(cell, k));
    return touched !== NOTHING2 && touched !== UNKNOWN && cellKind(touched) === CELL_WRITE && cellGranule(touched) === this.#granules.memory + k;
  }
  /** The first cell of what an event touches. */
  first(touched) {
    return touched < 0 ? this.#lists[-touched][0] : touched;
  }
  /**
   * Bits, by hash, of the granules that an event reads, and writes: only where the writes of one meet what the other reads or writes can two
   * events be dependent through what they touch.
   */
  readsOf(touched) {
    if (touched < 0) return this.#listReads[-touched];
    return touched === NOTHING2 ? 0 : touched === UNKNOWN ? -1 : cellKind(touched) === CELL_WRITE ? 0 : bitOf(touched);
  }
  writesOf(touched) {
    if (touched < 0) return this.#listWrites[-touched];
    return touched === NOTHING2 ? 0 : touched === UNKNOWN ? -1 : cellKind(touched) === CELL_WRITE ? bitOf(touched) : 0;
  }
  /** Whether two events of different vCPUs touch the same bytes, and one of them writes there. */
  conflict(a, b) {
    if (a === NOTHING2 || b === NOTHING2) return false;
    if (a === UNKNOWN || b === UNKNOWN) return true;
    if (a > 0 && b > 0) return overlap(a, b) && ((a | b) & CELL_WRITE) !== 0 && cellKind(a) !== CELL_STALE_FETCH && cellKind(b) !== CELL_STALE_FETCH;
    if (a < 0) {
      const list = this.#lists[-a];
      for (let k = 0; k < list.length; k++) if (this.conflict(list[k], b)) return true;
      return false;
    }
    return this.conflict(b, a);
  }
  /** Whether an event and a drain of its own vCPU do not commute: it reads memory past the buffer. */
  ownConflict(event, drain) {
    if (event > 0) return (cellKind(event) & (CELL_MEMORY_READ | CELL_FETCH)) !== 0 && this.#touch(event, drain);
    if (event === NOTHING2) return false;
    return this.#lists[-event].some((cell) => this.ownConflict(cell, drain));
  }
  #touch(event, drain) {
    if (drain === NOTHING2) return false;
    return drain > 0 ? drain === UNKNOWN || overlap(event, drain) : this.#lists[-drain].some((cell) => this.#touch(event, cell));
  }
  #addBytes(physical, sizeBytes, kind, source) {
    for (let done = 0; done < sizeBytes; ) {
      const first = physical + done & 3;
      const count = Math.min(4 - first, sizeBytes - done);
      this.#add(makeCell(this.#granules.granuleOf(physical + done), (1 << count) - 1 << first, kind), source);
      done += count;
    }
  }
  /** Adds a cell; a write absorbs the read of the same bytes. */
  #add(cell, source) {
    for (let k = this.count - 1; k >= 0; k--) {
      const other = this.cells[k];
      if (other === cell && this.sources[k] === source) return;
      if (cellKind(other) === CELL_READ && cellKind(cell) === CELL_WRITE && this.sources[k] < 0 && other >> 3 === cell >> 3) {
        this.cells[k] = cell;
        return;
      }
      if (sameGranule(other, cell) && cellKind(other) === cellKind(cell) && this.sources[k] === source) {
        this.cells[k] = other | cell;
        return;
      }
    }
    if (this.count === this.cells.length) {
      this.cells = grown2(this.cells);
      this.sources = grown2(this.sources);
    }
    this.cells[this.count] = cell;
    this.sources[this.count++] = source;
  }
};
var bitOf = (cell) => 1 << (Math.imul(cell >> 7, 2654435761) >>> 27);
var overlap = (a, b) => sameGranule(a, b) && (a & b & 120) !== 0;
function grown2(from) {
  const to = new Int32Array(from.length * 2);
  to.set(from);
  return to;
}
function grownFlags(from) {
  const to = new Uint8Array(from.length * 2);
  to.set(from);
  return to;
}

// src/explore/dpor/returns.ts
var BUCKETS = 1024;
var JUDGED_MAX = 256;
var CLOSED_MAX = 16;
var CANDIDATES_MAX = 16;
function describeEndless(executions) {
  return `${executions} executions came back to a state that they were in before, and were ended there: dpor does not say what else follows; use --engine graph`;
}
var Returns = class {
  #makeAside;
  /** States of the present execution in which a vCPU had just gone backwards, a stack: node, hash, the one before in its bucket. */
  #nodes = new Int32Array(64);
  #h0 = new Int32Array(64);
  #h1 = new Int32Array(64);
  #before = new Int32Array(64);
  #heads = new Int32Array(BUCKETS).fill(-1);
  #top = 0;
  /** vCPUs, as bits, that ended in some execution. */
  #everEnded = 0;
  /** The present execution came back here, and where it had been; -1: it did not. */
  node = -1;
  from = -1;
  #judged = 0;
  #closed = 0;
  #candidates = [];
  /** @param makeAside a machine at the start, to carry cycles out; null: they are not judged */
  constructor(makeAside) {
    this.#makeAside = makeAside;
  }
  /** The execution has come to `node`, by a step backwards: every cycle has one. */
  note(node, { h0, h1 }) {
    const bucket = h0 & BUCKETS - 1;
    for (let k = this.#heads[bucket]; k >= 0; k = this.#before[k])
      if (this.#h0[k] === h0 && this.#h1[k] === h1) {
        this.node = node;
        this.from = this.#nodes[k];
        return;
      }
    if (this.#top === this.#nodes.length) {
      this.#nodes = grown2(this.#nodes);
      this.#h0 = grown2(this.#h0);
      this.#h1 = grown2(this.#h1);
      this.#before = grown2(this.#before);
    }
    this.#nodes[this.#top] = node;
    this.#h0[this.#top] = h0;
    this.#h1[this.#top] = h1;
    this.#before[this.#top] = this.#heads[bucket];
    this.#heads[bucket] = this.#top++;
  }
  /** The execution is taken back to `node`. */
  backTo(node) {
    if (this.node > node) this.node = -1;
    while (this.#top > 0 && this.#nodes[this.#top - 1] > node) {
      this.#top--;
      this.#heads[this.#h0[this.#top] & BUCKETS - 1] = this.#before[this.#top];
    }
  }
  /** An execution has ended here. */
  noteEnd(machine) {
    if (this.#makeAside !== null) this.#everEnded |= endedOf(machine);
  }
  /** The execution came back to where it was after `from` choices: it is judged, or what follows from there in turns. */
  judge(schedule, from) {
    if (this.#makeAside === null || this.#judged++ >= JUDGED_MAX || this.#candidates.length >= CANDIDATES_MAX) return;
    const make = this.#makeAside;
    const machine = make();
    for (const choice of schedule) machine.take(choice);
    const victim = lowest(~endedOf(machine));
    const lasso = { schedule, from };
    const violation = judgeLasso(make(), lasso, victim);
    const found2 = violation !== null ? { lasso, violation } : this.#closed++ < CLOSED_MAX ? goesRound(make, schedule, victim) : null;
    if (found2 !== null && !passesMarks(make(), found2.lasso)) this.#candidates.push({ ...found2, actors: actorsOf(found2.lasso) });
  }
  /** A fair cycle of those who end in other executions, for all that is known now. */
  get livelock() {
    return this.#candidates.find(({ actors }) => (actors & ~this.#everEnded) === 0) ?? null;
  }
};
function actorsOf({ schedule, from }) {
  return schedule.slice(from).reduce((actors, choice) => actors | 1 << choiceVcpu(choice), 0);
}
function passesMarks(machine, { schedule, from }) {
  return schedule.some((choice, step) => {
    machine.take(choice);
    return step >= from && machine.progressed !== 0;
  });
}
function lowest(mask2) {
  return 31 - Math.clz32(mask2 & -mask2);
}

// src/explore/orders.ts
var PAIRS_MAX = 2e4;
var LATELY = 1024;
var Orders = class _Orders {
  pairs = 0;
  both = 0;
  #after = /* @__PURE__ */ new Map();
  /** Rows of four words, [process, cell] twice. */
  #lately = new Int32Array(LATELY * 4).fill(-1);
  /** @param process dpor/trail.ts; @param cell dpor/cells.ts, at most 31 bits */
  static party(process2, cell) {
    return process2 * 2 ** 31 + cell;
  }
  /** As `note`, of party `a`, `aCell` and party `b`, `bCell`; fast where they were noted lately. */
  noteAccesses(a, aCell, b, bCell) {
    const lately = this.#lately;
    const hash = Math.imul(aCell, 2654435761) ^ Math.imul(bCell, 2246822507) ^ Math.imul(a * 512 + b, 3266489909);
    const at = (hash >>> 16 & LATELY - 1) * 4;
    if (lately[at] === a && lately[at + 1] === aCell && lately[at + 2] === b && lately[at + 3] === bCell) return;
    lately[at] = a;
    lately[at + 1] = aCell;
    lately[at + 2] = b;
    lately[at + 3] = bCell;
    this.note(_Orders.party(a, aCell), _Orders.party(b, bCell));
  }
  /** Party `a` came right before party `b`. */
  note(a, b) {
    let after = this.#after.get(a);
    if (after === void 0) this.#after.set(a, after = /* @__PURE__ */ new Set());
    if (after.has(b) || this.pairs >= PAIRS_MAX) return;
    after.add(b);
    if (this.#after.get(b)?.has(a) === true) this.both++;
    else this.pairs++;
  }
  /** First and second of every order seen, alternating. */
  list() {
    return [...this.#after].flatMap(([a, after]) => [...after].flatMap((b) => [a, b]));
  }
  addAll(list) {
    for (let k = 0; k + 1 < list.length; k += 2) this.note(list[k], list[k + 1]);
  }
};

// src/explore/dpor/budgets.ts
var isInterrupt = (choice) => choiceKind(choice) === INTERRUPT || choiceKind(choice) === NMI;
var Budgets = class {
  /** Something was left out. */
  pruned = false;
  #path;
  #interruptsMax;
  #stalesMax;
  /** Interrupts and stale fetches before event d. */
  #interrupts = new Int32Array(257);
  #stales = new Int32Array(257);
  /** What a verdict that rests on them is bounded by. */
  bounds;
  constructor(path, { interrupts, stale }) {
    this.#path = path;
    this.#interruptsMax = interrupts ?? Infinity;
    this.#stalesMax = stale ?? Infinity;
    this.bounds = { ...interrupts === void 0 ? {} : { interrupts }, ...stale === void 0 ? {} : { "stale fetches": stale } };
  }
  grow() {
    this.#interrupts = grown2(this.#interrupts);
    this.#stales = grown2(this.#stales);
  }
  /** `choice` is an interrupt too many at node d. */
  forbids(d, choice) {
    return this.#interrupts[d] >= this.#interruptsMax && isInterrupt(choice);
  }
  /** Event d has been pushed, whose cells were read last. False: it was a stale fetch too many. */
  count(d, choice) {
    const { codeSeen } = this.#path.cells;
    this.#interrupts[d + 1] = this.#interrupts[d] + (isInterrupt(choice) ? 1 : 0);
    this.#stales[d + 1] = this.#stales[d] + (codeSeen >= 0 && this.#path.trail.isStale(d, codeSeen) ? 1 : 0);
    return this.#stales[d + 1] <= this.#stalesMax;
  }
  /** The event that was taken in slot d, and has not been pushed, is a stale fetch too many. */
  forbidsFetch(choice, d, fenced) {
    const { trail, cells } = this.#path;
    if (cells.codeSeen < 0 || this.#stales[d] < this.#stalesMax) return false;
    trail.push(choice, 0, fenced, false);
    const stale = trail.isStale(d, cells.codeSeen);
    trail.pop();
    return stale;
  }
};

// src/explore/dpor/dependence.ts
function processOf(choice) {
  return choiceVcpu(choice) * 2 + (choiceKind(choice) === DRAIN ? 1 : 0);
}
var FORKED = 1 << 30;
var Dependence = class {
  #cells;
  #fault;
  constructor(cells, fault) {
    this.#cells = cells;
    this.#fault = fault;
  }
  /** Whether two events (choice, cells.ts, own stores that they read) that are possible in one state are dependent there. @param drained stores by vCPU */
  clash(a, aTouched, aOwn, b, bTouched, bOwn, drained) {
    const aVcpu = choiceVcpu(a);
    const bVcpu = choiceVcpu(b);
    if (aVcpu === bVcpu) {
      const aDrain = choiceKind(a) === DRAIN;
      const bDrain = choiceKind(b) === DRAIN;
      if (aDrain === bDrain) return true;
      if (this.#fault === "no-walk-drains") return false;
      return aDrain ? this.#cells.ownConflict(bTouched, aTouched) : this.#cells.ownConflict(aTouched, bTouched);
    }
    if (aOwn === null && bOwn === null) return this.#cells.conflict(aTouched, bTouched);
    return this.#dependent(aTouched, aOwn, aVcpu, bTouched, bOwn, bVcpu, drained);
  }
  /** As that, of different vCPUs. */
  #dependent(a, aOwn, aVcpu, b, bOwn, bVcpu, drained) {
    if (!this.#cells.conflict(a, b)) return false;
    if (aOwn === null && bOwn === null) return true;
    if (aOwn !== null) {
      for (let k = 0; k < aOwn.cells.length; k++)
        if (aOwn.stores[k] < drained[aVcpu] && this.#dependent(aOwn.cells[k], null, aVcpu, b, bOwn, bVcpu, drained)) return true;
      return false;
    }
    return this.#dependent(b, bOwn, bVcpu, a, aOwn, aVcpu, drained);
  }
};

// src/explore/dpor/chooser.ts
var PLANNED = -1;
var NOBODY2 = -2;
var Chooser = class {
  /** Names of the last `list`. */
  choices = new Int32Array(CHOICES_MAX);
  /** Where nobody could be chosen: somebody sleeps who could go on, or an interrupt is beyond the budget. */
  someAsleep = false;
  someOverBudget = false;
  /** By node: a vCPU waits there, and an interrupt was explored: others have to be, too. */
  more = new Uint8Array(257);
  #path;
  #tree;
  #sleep;
  #waits;
  #budgets;
  constructor(path, tree, sleep, waits, budgets) {
    this.#path = path;
    this.#tree = tree;
    this.#sleep = sleep;
    this.#waits = waits;
    this.#budgets = budgets;
  }
  grow() {
    this.more = grownFlags(this.more);
  }
  /** The names of the choices at node d, where the machine stands, within the budgets, into `choices`; their number. */
  list(d) {
    const { machine } = this.#path;
    const count = machine.enabled(this.choices);
    let kept = 0;
    this.someOverBudget = false;
    for (let k = 0; k < count; k++) {
      const choice = this.choices[k];
      if (this.#budgets.forbids(d, choice)) this.someOverBudget = true;
      else this.choices[kept++] = machine.identify(choice);
    }
    this.#budgets.pruned ||= this.someOverBudget;
    return kept;
  }
  /** Names of the ways that `vcpu` can go where the machine stands, with the budget of node e. */
  waysOf(vcpu, e) {
    const count = this.list(e);
    return Array.from(this.choices.subarray(0, count)).filter((choice) => choiceVcpu(choice) === vcpu && choiceKind(choice) !== DRAIN);
  }
  /** The vCPU that would make this choice has not been stopped in this execution, and does not wait at node d. */
  goesOn(d, choice) {
    const vcpu = choiceVcpu(choice);
    return choiceKind(choice) === DRAIN || this.#path.stopped[vcpu] < 0 && (isInterrupt(choice) || !this.#waits.at(d, vcpu));
  }
  /** An interrupt or NMI could be taken now. */
  canInterrupt(vcpu) {
    const count = this.#path.machine.enabled(this.choices);
    for (let k = 0; k < count; k++) if (isInterrupt(this.choices[k]) && choiceVcpu(this.choices[k]) === vcpu) return true;
    return false;
  }
  /**
   * Whom to run at node d: the choice, where the process picked has one way to go and nothing else comes after it there; PLANNED: what
   * stands in the wakeup tree now; NOBODY.
   */
  choose(d) {
    const tree = this.#tree;
    this.#sleep.sleepFreely(d);
    this.more[d] = 0;
    const only = this.#onlyWay(d);
    if (only >= 0) return only;
    const count = this.list(d);
    let picked = -1;
    let first = -1;
    let half = -1;
    const last = d > 0 ? this.#path.trail.process[d - 1] & ~1 : -1;
    for (let k = 0; k < count && picked < 0; k++) {
      const process2 = processOf(this.choices[k]);
      if (!this.goesOn(d, this.choices[k]) || this.#sleep.sleeps(d, this.choices[k])) continue;
      if (this.#halfAsleep(d, process2, count)) half = process2;
      else if (process2 === last) picked = process2;
      else if (first < 0 || (first & 1) === 1 && (process2 & 1) === 0) first = process2;
    }
    if (picked < 0) picked = first;
    if (picked < 0 && half < 0) {
      this.someAsleep = false;
      for (let k = 0; k < count && !this.someAsleep; k++) this.someAsleep = this.goesOn(d, this.choices[k]);
      return NOBODY2;
    }
    let tail = 0;
    for (let k = 0; k < count; k++) {
      if (picked >= 0 && processOf(this.choices[k]) !== picked || !this.goesOn(d, this.choices[k]) || this.#sleep.sleeps(d, this.choices[k])) continue;
      const node = tree.make(this.choices[k], UNKNOWN, null);
      if (tail === 0) tree.first[d] = node;
      else tree.next[tail] = node;
      tail = node;
    }
    this.more[d] = picked >= 0 && (picked & 1) === 0 && this.#waits.at(d, picked >> 1) ? 1 : 0;
    return PLANNED;
  }
  /** Where the process picked has one way to go: it; -1: it takes a closer look. */
  #onlyWay(d) {
    const { machine, trail, stopped, vcpus } = this.#path;
    if (!machine.running()) return -1;
    const sleep = this.#sleep;
    const last = d > 0 ? trail.process[d - 1] >> 1 : 0;
    for (let k = -1; k < vcpus; k++) {
      const v = k < 0 ? last : k;
      if (stopped[v] >= 0 || this.#waits.at(d, v) || !machine.canContinue(v)) continue;
      if (machine.alternatives(v) > 1) return -1;
      if (!sleep.processSleeps(d, v * 2)) return packChoice(RUN, v);
    }
    for (let v = 0; v < vcpus; v++) {
      if (machine.alternatives(v) > 1) return -1;
      if (machine.bufferedStoresOf(v) > 0 && !sleep.processSleeps(d, v * 2 + 1)) return packChoice(DRAIN, v);
    }
    return -1;
  }
  /**
   * What else the process could do here, besides `choice`, which was planned: other orders of halves, other data. Where
   * one of these sleeps, it may wake up before the process goes this way at all: everybody else may come first.
   */
  addAlternatives(choice, d) {
    const tree = this.#tree;
    const count = this.list(d);
    const process2 = processOf(choice);
    const half = this.#halfAsleep(d, process2, count);
    for (let k = 0; k < count; k++) {
      const other = this.choices[k];
      if (other === choice || processOf(other) !== process2 && !half || this.#sleep.sleeps(d, other) || !this.goesOn(d, other)) continue;
      let known = false;
      for (let node = tree.first[d]; node !== 0 && !known; node = tree.next[node]) known = (tree.choice[node] & ~FORKED) === other;
      if (known) continue;
      tree.first[d] = tree.splice(tree.first[d], tree.make(other, UNKNOWN, null));
      this.#sleep.sleepFreely(d);
    }
  }
  /** Some alternatives of the process sleep, and some do not. */
  #halfAsleep(d, process2, count) {
    for (let k = 0; k < count; k++) if (processOf(this.choices[k]) === process2 && this.#sleep.sleepsLightly(d, this.choices[k])) return true;
    return false;
  }
};

// src/cpu/liveness.ts
var CARRY_LIVE = 1 << 8;
var OTHER_FLAGS_LIVE = 1 << 9;
var ALL_LIVE = 1023;
var FLAGS_LIVE = CARRY_LIVE | OTHER_FLAGS_LIVE;
var INSTRUCTIONS_MAX = 200;
var EXIT_CALL = 1481441280;
function liveAt(eip, opAt, stackAt, atExit = 0) {
  return liveIn(eip, opAt, stackAt, atExit) ?? liveIn(eip, opAt, null, atExit) ?? ALL_LIVE;
}
function liveIn(eip, opAt, stackAt, atExit) {
  const effects = /* @__PURE__ */ new Map();
  const popped = /* @__PURE__ */ new Map([[eip, 0]]);
  const open = [eip];
  const returns = [];
  const writes = [];
  const go = (at, depth) => {
    const known = popped.get(at);
    if (known === depth) return true;
    if (known !== void 0) return false;
    popped.set(at, depth);
    open.push(at);
    return true;
  };
  while (open.length > 0) {
    const at = open.pop();
    const depth = popped.get(at);
    const op = opAt(at);
    if (op === null || effects.size === INSTRUCTIONS_MAX) return ALL_LIVE;
    let effect = effectOf(op, at, atExit);
    if (stackAt !== null && op.row?.mnemonic === "ret" && op.a.kind === 0) {
      const slot = stackAt(depth);
      if (slot === null) return null;
      returns.push(slot.address);
      effect = { uses: 1 << ESP, defines: 0, next: [slot.value] };
      if (!go(slot.value, depth + 4)) return null;
    } else {
      const store = storeOf(op);
      if (store !== null) writes.push(store);
      const after = depth + (op.row?.mnemonic === "pop" ? 4 : 0);
      for (const next of effect.next) if (!go(next, after)) return ALL_LIVE;
    }
    effects.set(at, effect);
  }
  if (returns.length > 0 && writes.some((write) => Number.isNaN(write) || returns.some((slot) => Math.abs(slot - write) < 8))) return null;
  const live = /* @__PURE__ */ new Map();
  for (let changed = true; changed; ) {
    changed = false;
    for (const [at, { uses, defines, next }] of effects) {
      const out = next.reduce((all, one) => all | (live.get(one) ?? 0), 0);
      const now = uses | out & ~defines;
      if (now === (live.get(at) ?? 0)) continue;
      live.set(at, now);
      changed = true;
    }
  }
  return live.get(eip) ?? ALL_LIVE;
}
function storeOf(op) {
  const reads2 = ["cmp", "test", "nop", "lea"].includes(op.row?.mnemonic ?? "");
  if (op.a.kind !== MEM && (op.b.kind !== MEM || op.row?.mnemonic !== "xchg")) return null;
  if (reads2) return null;
  return op.base < 0 && op.index < 0 && !op.segPrefix ? op.disp : Number.NaN;
}
function effectOf(op, eip, atExit) {
  const name = op.row?.mnemonic ?? "";
  const after = eip + op.length | 0;
  const { a, b } = op;
  const address = (op.base >= 0 ? 1 << op.base : 0) | (op.index >= 0 ? 1 << op.index : 0);
  const effect = (uses, defines, next = [after]) => ({ uses: uses | address, defines, next });
  const everything = { uses: ALL_LIVE, defines: 0, next: [] };
  if (op.opSize !== 4 || op.addrSize !== 4 || op.rep !== 0) return name === "pause" ? effect(0, 0) : everything;
  if (![a, b, op.c].every(plain) || a.kind === REG && a.size === 4 && a.value === ESP) return everything;
  switch (name) {
    case "mov":
      return effect(reads(b) | (a.kind === MEM ? 0 : partly(a)), whole(a));
    case "movzx":
    case "movsx":
      return effect(reads(b), whole(a));
    case "lea":
      return effect(0, whole(a));
    case "cmp":
    case "test":
      return effect(reads(a) | reads(b), FLAGS_LIVE);
    case "xor":
    case "sub":
      if (a.kind === REG && b.kind === REG && a.value === b.value && a.size === 4) return effect(0, FLAGS_LIVE | whole(a));
      return effect(reads(a) | reads(b), FLAGS_LIVE);
    case "add":
    case "and":
    case "or":
      return effect(reads(a) | reads(b), FLAGS_LIVE);
    case "xchg":
    case "not":
      return effect(reads(a) | reads(b), 0);
    case "inc":
    case "dec":
      return effect(reads(a), OTHER_FLAGS_LIVE);
    case "cmpxchg":
      return effect(reads(a) | reads(b) | 1 << EAX, FLAGS_LIVE);
    case "xadd":
      return effect(reads(a) | reads(b), FLAGS_LIVE);
    case "mfence":
    case "lfence":
    case "sfence":
      return effect(0, 0);
    case "nop":
      if (op.disp === EXIT_CALL && op.a.kind === MEM) return { uses: atExit, defines: 0, next: [] };
      return effect(1 << EAX | 1 << ECX | 1 << EDX, 0);
    case "pop":
      return a.kind === REG && a.value !== ESP ? effect(1 << ESP, whole(a)) : everything;
    case "jmp":
      return a.kind === IMM ? effect(0, 0, [after + a.value | 0]) : everything;
  }
  const condition2 = CONDITIONS.find((one) => name === `j${one}` || name === `set${one}`);
  if (condition2 === void 0) return everything;
  const flags = ["b", "nb"].includes(condition2) ? CARRY_LIVE : ["be", "nbe"].includes(condition2) ? FLAGS_LIVE : OTHER_FLAGS_LIVE;
  if (name.startsWith("set")) return effect(flags | partly(a), 0);
  if (a.kind === IMM) return effect(flags, 0, [after, after + a.value | 0]);
  return everything;
}
var plain = (operand2) => operand2.kind === 0 || operand2.kind === REG || operand2.kind === MEM || operand2.kind === IMM;
function register(operand2) {
  return operand2.size === 1 ? operand2.value & 3 : operand2.value;
}
function reads(operand2) {
  return operand2.kind === REG ? 1 << register(operand2) : 0;
}
function whole(operand2) {
  return operand2.kind === REG && operand2.size === 4 ? 1 << operand2.value : 0;
}
function partly(operand2) {
  return operand2.kind === REG && operand2.size < 4 ? reads(operand2) : 0;
}

// src/explore/dpor/loops.ts
var OTHER_FLAGS = 2260;
var TURN_MAX = 64;
var Loops = class {
  #path;
  #machine;
  /** Registers of the vCPU of event d before the instruction that made it. */
  #registers = new Int32Array(64 * REGISTER_WORDS);
  /** The event changed nothing but registers and the stack; it was the first of its instruction. */
  #quiet = new Uint8Array(64);
  #begins = new Uint8Array(64);
  constructor(path) {
    this.#path = path;
    this.#machine = path.machine;
  }
  /** Event d has been taken by the machine; `quiet`: it changed nothing but registers and the stack. */
  note(d, quiet) {
    if ((d + 1) * REGISTER_WORDS > this.#registers.length) {
      this.#registers = grown2(this.#registers);
      this.#quiet = grownFlags(this.#quiet);
      this.#begins = grownFlags(this.#begins);
    }
    this.#quiet[d] = quiet ? 1 : 0;
    this.#begins[d] = quiet && this.#machine.eventBegins ? 1 : 0;
    if (this.#begins[d] === 1) this.#registers.set(this.#machine.eventRegisters, d * REGISTER_WORDS);
  }
  /** Whether the event in slot d brought `vcpu`, whose event before was `previous`, back to where it stood before, without effect. */
  closesTurn(d, previous, vcpu) {
    if (this.#isBackAt(d, vcpu) && this.#restoresSince(d, d, previous)) return true;
    let event = previous;
    for (let k = 0; k < TURN_MAX && event >= 0 && this.#quiet[event] === 1; k++) {
      if (this.#isBackAt(event, vcpu) && this.#restoresSince(event, d, previous)) return true;
      event = this.#path.trail.previousOf(event);
    }
    return false;
  }
  /** The events of one vCPU from `since` to the one in slot d left its stack as it was. */
  #restoresSince(since, d, previous) {
    const steps2 = [this.#machine.step - 1];
    for (let event = since === d ? -1 : previous; event >= since; event = this.#path.trail.previousOf(event)) steps2.unshift(this.#path.stepAt[event]);
    return this.#machine.restored(steps2);
  }
  /**
   * The loop that `vcpu` is in, with what memory holds now: it leaves it; it waits in it for others for ever; or it goes
   * on in it for ever where it stores, and loads nothing that others could change: it works there, for all that is known, and does not wait.
   */
  fateOf(vcpu) {
    const machine = this.#machine;
    const from = this.#path.trail.depth;
    const first = machine.step;
    let back = false;
    const { observer, privateStores, foreignLoads } = machine;
    machine.observer = () => {
    };
    let looks = false;
    let taken = 0;
    while (!back && taken < 2 * TURN_MAX && machine.canContinue(vcpu)) {
      taken++;
      if (machine.take(packChoice(RUN, vcpu)) !== 0 || !machine.quiet) break;
      looks ||= machine.footprint.hasLoads();
      this.note(from + taken - 1, true);
      for (let d = from; d < from + taken && !back; d++) {
        if (!this.#isBackAt(d, vcpu)) continue;
        back = machine.restored(Array.from({ length: from + taken - d }, (_, k) => first + d - from + k));
      }
    }
    while (taken-- > 0) machine.undo();
    machine.observer = observer;
    return !back ? "leaves" : looks || machine.foreignLoads > foreignLoads || machine.privateStores === privateStores ? "waits" : "works";
  }
  /** Whether `vcpu` stands again where it stood before event d. */
  #isBackAt(d, vcpu) {
    const at = d * REGISTER_WORDS;
    const then = this.#registers;
    const now = this.#machine.registersOf(vcpu);
    if (this.#begins[d] === 0 || then[at + EIP] !== now[EIP] || !this.#machine.betweenInstructions(vcpu)) return false;
    let differ = 0;
    for (let k = 0; k < 8; k++) if (then[at + k] !== now[k]) differ |= 1 << k;
    const flags = this.#path.fault === "no-flags" ? 0 : then[at + EFLAGS] ^ now[EFLAGS];
    if ((flags & ~(CF | OTHER_FLAGS)) !== 0) return false;
    differ |= ((flags & CF) !== 0 ? CARRY_LIVE : 0) | ((flags & OTHER_FLAGS) !== 0 ? OTHER_FLAGS_LIVE : 0);
    if (differ !== 0 && (differ & this.#machine.liveRegisters(vcpu)) !== 0) return false;
    for (let k = 8; k < REGISTER_WORDS; k++) if (then[at + k] !== now[k] && k !== EFLAGS) return false;
    return true;
  }
};

// src/cpu/delivery.ts
var TASK_GATE2 = 5;
var INTERRUPT_GATE_16 = 6;
var TRAP_GATE_16 = 7;
var INTERRUPT_GATE = 14;
var TRAP_GATE = 15;
var SHADOWS = 3843;
function raise(cpu) {
  const r = cpu.r;
  let vector = cpu.faultVector;
  let error = cpu.faultError;
  const event = r[EVENT];
  cpu.stop = 0;
  if (vector === PF_) r[CR2] = cpu.faultAddress;
  if ((event & EVENT_VALID) !== 0) {
    const first = event & 255;
    const type = event & EVENT_TYPE;
    if (type === EVENT_EXCEPTION) {
      if (first === DF_) {
        r[ACTIVITY] = SHUTDOWN;
        r[EVENT] = 0;
        return;
      }
      if (combinesToDoubleFault(first, vector)) {
        vector = DF_;
        error = 0;
      }
    } else if (type >= EVENT_INT_N) r[EIP] -= event >>> EVENT_LENGTH_SHIFT & 15;
  }
  const withError = hasErrorCode(vector) && !inRealMode(r);
  const fault = vector !== DB && vector !== DF_;
  r[EVENT] = EVENT_VALID | EVENT_EXCEPTION | vector | (withError ? EVENT_HAS_ERROR : 0) | (fault ? EVENT_FAULT : 0);
  r[EVENT_ERROR] = withError ? error : 0;
}
function deliver(cpu) {
  const r = cpu.r;
  cpu.stop = 0;
  const type = r[EVENT] & EVENT_TYPE;
  const blocksNmi = type === EVENT_NMI;
  if (inRealMode(r)) deliverReal(cpu);
  else if (type === EVENT_INT_N && inVirtual8086(r) && redirects(cpu)) deliverToProgram(cpu);
  else if (cpu.stop === 0) deliverProtected(cpu);
  if (cpu.stop !== 0) return;
  const deferred = type === EVENT_INT_N || type === EVENT_INT3 ? deferredHits(r) : 0;
  r[SHADOW] &= ~SHADOWS;
  if (blocksNmi) r[SHADOW] |= SHADOW_NMI;
  r[ACTIVITY] = ACTIVE;
  trapAfterInterrupt(cpu, deferred);
}
function pushedFlags(r) {
  return (r[EVENT] & EVENT_FAULT) !== 0 ? r[EFLAGS] | RF : r[EFLAGS];
}
function finish3(r) {
  if ((r[EVENT] & 255) === DB && (r[EVENT] & EVENT_TYPE) === EVENT_EXCEPTION) r[DR7] &= ~DR7_GD;
  r[EVENT] = 0;
  r[EVENT_ERROR] = 0;
}
function deliverReal(cpu) {
  const r = cpu.r;
  const vector = r[EVENT] & 255;
  if (vector * 4 + 3 > r[IDT_LIMIT] >>> 0) return cpu.fault(GP, 0);
  const pointer = cpu.readSystem(r[IDT_BASE] + vector * 4 | 0, 4);
  if (cpu.stop !== 0) return;
  const stack = currentStack(cpu, 0);
  for (const value of [r[EFLAGS], r[SELECTOR + CS], r[EIP]]) pushOn(cpu, stack, 2, value & 65535);
  if (cpu.stop !== 0) return;
  if ((pointer & 65535) > r[SEG_LIMIT + CS] >>> 0) return cpu.fault(GP, 0);
  commitStack(cpu, stack);
  setRealSegment(cpu, CS, pointer >>> 16);
  r[EIP] = pointer & 65535;
  r[EFLAGS] &= ~(IF | TF | AC | RF);
  finish3(r);
}
function redirects(cpu) {
  const r = cpu.r;
  if ((r[CR4] & CR4_VME) === 0) {
    if (ioplOf(r) < 3) cpu.fault(GP, 0);
    return false;
  }
  const map = cpu.readSystem(r[SEG_BASE + TR] + 102 | 0, 2);
  const at = map - 32 + ((r[EVENT] & 255) >> 3);
  if (cpu.stop === 0 && (103 > r[SEG_LIMIT + TR] >>> 0 || at < 0 || at > r[SEG_LIMIT + TR] >>> 0)) cpu.fault(GP, 0);
  const bits = cpu.readSystem(r[SEG_BASE + TR] + at | 0, 1);
  if (cpu.stop !== 0) return false;
  if ((bits >> (r[EVENT] & 7) & 1) === 0) return true;
  if (ioplOf(r) < 3) cpu.fault(GP, 0);
  return false;
}
function deliverToProgram(cpu) {
  const r = cpu.r;
  const pointer = cpu.readLinear((r[EVENT] & 255) * 4, 4);
  if (cpu.stop !== 0) return;
  const virtual = ioplOf(r) < 3;
  const flags = virtual ? r[EFLAGS] & ~IF | IOPL | ((r[EFLAGS] & VIF) !== 0 ? IF : 0) : r[EFLAGS];
  const stack = currentStack(cpu, 0);
  for (const value of [flags, r[SELECTOR + CS], r[EIP]]) pushOn(cpu, stack, 2, value & 65535);
  if (cpu.stop !== 0) return;
  commitStack(cpu, stack);
  setRealSegment(cpu, CS, pointer >>> 16);
  r[EIP] = pointer & 65535;
  r[EFLAGS] &= ~(TF | RF | (virtual ? VIF : IF));
  finish3(r);
}
function deliverProtected(cpu) {
  const r = cpu.r;
  const event = r[EVENT];
  const vector = event & 255;
  const type = event & EVENT_TYPE;
  const software = type === EVENT_INT_N || type === EVENT_INT3;
  const ext = software ? 0 : 1;
  const gateError = vector * 8 + 2 + ext;
  if (vector * 8 + 7 > r[IDT_LIMIT] >>> 0) return cpu.fault(GP, gateError);
  const low = cpu.readSystem(r[IDT_BASE] + vector * 8 | 0, 4);
  const high = cpu.readSystem(r[IDT_BASE] + vector * 8 + 4 | 0, 4);
  if (cpu.stop !== 0) return;
  const rights = attrOf(high);
  const kind = rights & 31;
  if (kind !== TASK_GATE2 && kind !== INTERRUPT_GATE_16 && kind !== TRAP_GATE_16 && kind !== INTERRUPT_GATE && kind !== TRAP_GATE)
    return cpu.fault(GP, gateError);
  if (software && dplOf(rights) < cplOf(r)) return cpu.fault(GP, gateError);
  if ((rights & 128) === 0) return cpu.fault(NP, gateError);
  const selector = low >>> 16;
  if (kind === TASK_GATE2) return deliverToTask(cpu, selector, ext);
  const wide = kind >= INTERRUPT_GATE;
  if (isNull(selector)) return cpu.fault(GP, ext);
  const descriptor = readDescriptor(cpu, selector, GP, ext);
  if (cpu.stop !== 0) return;
  const attr = attrOf(descriptor.high);
  const error = selectorError(selector) | ext;
  const cpl = cplOf(r);
  const dpl = dplOf(attr);
  if (!isCode(attr) || dpl > cpl) return cpu.fault(GP, error);
  if ((attr & 128) === 0) return cpu.fault(NP, error);
  const inner = !isConforming(attr) && dpl < cpl;
  const fromVirtual = inVirtual8086(r);
  if (fromVirtual && (!inner || dpl !== 0)) return cpu.fault(GP, error);
  const stack = inner ? innerStack(cpu, dpl, ext) : currentStack(cpu, ext);
  if (stack === null) return;
  const offset = wide ? low & 65535 | high & ~65535 : low & 65535;
  pushFrame(cpu, stack, wide ? 4 : 2, inner, fromVirtual);
  if (cpu.stop === 0 && offset >>> 0 > limitOf(descriptor) >>> 0) cpu.fault(GP, ext);
  touchStack(cpu, stack);
  if (cpu.stop === 0) markAccessed(cpu, selector, descriptor);
  if (cpu.stop !== 0) return;
  commitStack(cpu, stack);
  setCodeSegment(cpu, selector, descriptor, inner ? dpl : cpl);
  if (fromVirtual) for (const seg of [ES, DS, FS, GS]) setNullSegment(cpu, seg, 0);
  r[EIP] = offset;
  r[EFLAGS] &= ~(TF | NT | RF | VM | (kind === INTERRUPT_GATE || kind === INTERRUPT_GATE_16 ? IF : 0));
  finish3(r);
}
function pushFrame(cpu, stack, size, inner, fromVirtual) {
  const r = cpu.r;
  if (fromVirtual) for (const seg of [GS, FS, DS, ES]) pushOn(cpu, stack, size, r[SELECTOR + seg]);
  if (inner) {
    pushOn(cpu, stack, size, r[SELECTOR + SS]);
    pushOn(cpu, stack, size, r[ESP]);
  }
  pushOn(cpu, stack, size, pushedFlags(r));
  pushOn(cpu, stack, size, r[SELECTOR + CS]);
  pushOn(cpu, stack, size, r[EIP]);
  if ((r[EVENT] & EVENT_HAS_ERROR) !== 0) pushOn(cpu, stack, size, r[EVENT_ERROR]);
}
function deliverToTask(cpu, selector, ext) {
  const r = cpu.r;
  const task = gateTask(cpu, selector, GP, ext);
  if (task === null) return;
  const saved2 = pushedFlags(r);
  const error = (r[EVENT] & EVENT_HAS_ERROR) !== 0 ? r[EVENT_ERROR] : null;
  switchTask(cpu, { kind: "interrupt", selector, descriptor: task, ext, eip: r[EIP], eflags: saved2, error });
}

// src/cpu/cpu.ts
var Cpu = class {
  r;
  /** The bytes of `r`. */
  r8;
  bus;
  cls;
  stop = 0;
  faultVector = 0;
  faultError = 0;
  /** Linear address of a page fault: CR2 once it is raised. */
  faultAddress = 0;
  /** Of a #UD: that xmcheck does not model the instruction, or that the CPU class does not have it. */
  remark = null;
  /** The last page walk. */
  walk = new Walk();
  /** What a read-modify-write instruction is about to write back: size in bytes (0: nothing), linear and physical address. */
  updateSize = 0;
  updateLinear = 0;
  updatePhysical = 0;
  /** Of the last store: page address of the linear one XOR that of the physical one; 0 where they are the same, as without paging. */
  storeAlias = 0;
  /** EFLAGS bits that the class has. */
  flagsMask;
  /** EIP of the instruction after the one that executes. */
  next = 0;
  /** The write of this attempt puts back what a failed CMPXCHG read. */
  compareFailed = false;
  /** Initial local APIC id, as CPUID reports it. */
  apicId = 0;
  // Of the instruction that executes, for debug.ts: data breakpoints touched (DR6 bits), RF stays as it is now, it switched tasks.
  debugHits = 0;
  keepsRf = false;
  switchedTask = false;
  /** An Intel386: flags that are undefined are its own (flags386.ts). */
  is386;
  /** What undefined flags are; 1 where they are chosen. */
  undefinedFlags;
  #chooses;
  /** @param words the machine's state; @param base first word of the register block */
  constructor(words, base, bus, cls, undefinedFlags = FIXED_FLAGS) {
    this.r = words.subarray(base, base + REGISTER_WORDS);
    this.r8 = new Uint8Array(this.r.buffer, this.r.byteOffset, this.r.byteLength);
    this.bus = bus;
    this.cls = cls;
    this.flagsMask = flagsOf(cls);
    this.is386 = cls.family === 3;
    this.undefinedFlags = undefinedFlags;
    this.#chooses = undefinedFlags.kind === "fixed" ? 0 : 1;
  }
  execute(op) {
    const r = this.r;
    this.stop = 0;
    this.updateSize = 0;
    this.remark = null;
    this.next = r[EIP] + op.length | 0;
    if (this.next - 1 >>> 0 > r[SEG_LIMIT + CS] >>> 0) return this.fault(GP, 0);
    if ((r[EFLAGS] & (TF | RF) | r[SHADOW] & 3 | r[DR7] & 255 | this.#chooses) !== 0) {
      this.debugHits = 0;
      this.keepsRf = false;
      this.switchedTask = false;
      return executeWatched(this, op);
    }
    op.handler(this, op);
    if (this.stop === 0) r[EIP] = this.next;
  }
  /** The REP instruction that executes goes on with its next iteration: EIP stays, and an interrupt here pushes RF set. */
  repeat() {
    this.next = this.r[EIP];
    this.r[EFLAGS] |= RF;
    this.keepsRf = true;
  }
  fault(vector, error = 0) {
    if (this.stop !== 0) return;
    this.updateSize = 0;
    this.stop = STOP_FAULT;
    this.faultVector = vector;
    this.faultError = error;
  }
  /** After STOP_FAULT: the fault becomes the event to deliver. */
  raise() {
    raise(this);
  }
  /** Delivers r[EVENT]. */
  deliver() {
    deliver(this);
  }
  canTakeInterrupt() {
    return (this.r[EFLAGS] & IF) !== 0 && (this.r[SHADOW] & 3) === 0;
  }
  canTakeNmi() {
    return (this.r[SHADOW] & (SHADOW_NMI | SHADOW_MOV_SS)) === 0;
  }
  /** Physical address of the code byte at offset `offset` of CS; may fault. */
  fetchPhysical(offset) {
    if (offset >>> 0 > this.r[SEG_LIMIT + CS] >>> 0) {
      this.fault(GP, 0);
      return 0;
    }
    return translate(this, this.r[SEG_BASE + CS] + offset | 0, false, isUser(this.r), true);
  }
  // --- operands ---------------------------------------------------------------------------------------
  /** Offset of the memory operand. */
  address(op) {
    const r = this.r;
    let offset = op.disp;
    if (op.base >= 0) offset += r[op.base];
    if (op.index >= 0) offset += r[op.index] << op.scale;
    return op.addrSize === 4 ? offset | 0 : offset & 65535;
  }
  /** Value of an operand, zero-extended to its size (4: int32). May stop. */
  get(op, operand2) {
    switch (operand2.kind) {
      case REG:
        return this.register(operand2.value, operand2.size);
      case MEM:
        return this.readMemory(op.seg, this.address(op), operand2.size);
      case IMM:
        return operand2.size === 4 ? operand2.value : operand2.value & (operand2.size === 1 ? 255 : 65535);
      case SREG:
        return this.r[SELECTOR + operand2.value];
      default:
        return 0;
    }
  }
  /** Value of the destination of a read-modify-write instruction, as `get`. */
  getForUpdate(op, operand2) {
    if (operand2.kind !== MEM) return this.register(operand2.value, operand2.size);
    if (op.lock) this.bus.locked = true;
    return this.readForUpdate(op.seg, this.address(op), operand2.size);
  }
  /** Writes a general operand; a register only when nothing has stopped. */
  set(op, operand2, value) {
    if (operand2.kind === MEM) this.writeMemory(op.seg, this.address(op), operand2.size, value);
    else if (this.stop === 0) this.setRegister(operand2.value, operand2.size, value);
  }
  register(index, size) {
    const r = this.r;
    if (size === 4) return r[index];
    if (size === 2) return r[index] & 65535;
    return index < 4 ? r[index] & 255 : r[index - 4] >>> 8 & 255;
  }
  setRegister(index, size, value) {
    const r = this.r;
    if (size === 4) r[index] = value;
    else if (size === 2) r[index] = r[index] & ~65535 | value & 65535;
    else if (index < 4) r[index] = r[index] & ~255 | value & 255;
    else r[index - 4] = r[index - 4] & ~65280 | (value & 255) << 8;
  }
  // --- memory -----------------------------------------------------------------------------------------
  readMemory(seg, offset, size) {
    const linear = this.linear(seg, offset, size, false);
    return this.stop !== 0 ? 0 : this.readLinear(linear, size);
  }
  writeMemory(seg, offset, size, value) {
    const linear = this.linear(seg, offset, size, true);
    if (this.stop === 0) this.writeLinear(linear, size, value);
  }
  /** Reads what an instruction will write back: a fault is a write's (SDM vol. 3A 5.7, W/R). */
  readForUpdate(seg, offset, size) {
    const linear = this.linear(seg, offset, size, true);
    if (this.stop !== 0) return 0;
    const user = isUser(this.r);
    if ((linear & 4095) + size > 4096) return this.readAcross(linear, size, user, true);
    const physical = translate(this, linear, true, user, false);
    if (this.stop !== 0) return 0;
    this.updateSize = size;
    this.updateLinear = linear;
    this.updatePhysical = physical;
    return this.readPhysical(physical, size);
  }
  readLinear(linear, size) {
    return this.readAs(linear, size, isUser(this.r));
  }
  writeLinear(linear, size, value) {
    this.writeAs(linear, size, value, isUser(this.r));
  }
  /** Accesses to descriptor tables and task state: supervisor's at any CPL (SDM vol. 3A 5.6). */
  readSystem(linear, size) {
    return this.readAs(linear, size, false);
  }
  writeSystem(linear, size, value) {
    this.writeAs(linear, size, value, false);
  }
  readAs(linear, size, user) {
    if (this.stop !== 0) return 0;
    if ((linear & 4095) + size > 4096) return this.readAcross(linear, size, user, false);
    const physical = translate(this, linear, false, user, false);
    return this.stop !== 0 ? 0 : this.readPhysical(physical, size);
  }
  readPhysical(physical, size) {
    return size === 4 ? this.bus.read32(physical) : size === 1 ? this.bus.read8(physical) : this.bus.read16(physical);
  }
  /** Across a page boundary: both pages must be accessible before a byte is read. */
  readAcross(linear, size, user, write) {
    const first = translate(this, linear, write, user, false);
    const room = 4096 - (linear & 4095);
    const second = this.stop !== 0 ? 0 : translate(this, linear + room | 0, write, user, false);
    let value = 0;
    for (let b = 0; b < size && this.stop === 0; b++) value |= this.bus.read8(b < room ? first + b : second + b - room) << b * 8;
    return this.stop !== 0 ? 0 : value;
  }
  writeAs(linear, size, value, user) {
    if (this.stop !== 0) return;
    const updates = this.updateSize === size && this.updateLinear === linear;
    const physical = updates ? this.updatePhysical : translate(this, linear, true, user, false);
    if (this.stop !== 0) return;
    this.updateSize = 0;
    this.storeAlias = (linear ^ physical) & ~4095;
    if ((linear & 4095) + size > 4096) {
      const room = 4096 - (linear & 4095);
      const second = translate(this, linear + room | 0, true, user, false);
      for (let b = 0; b < size && this.stop === 0; b++) {
        if (b === room) this.storeAlias = (linear + room ^ second) & ~4095;
        this.bus.write8(b < room ? physical + b : second + b - room, value >>> b * 8 & 255);
      }
    } else if (size === 4) this.bus.write32(physical, value);
    else if (size === 1) this.bus.write8(physical, value);
    else this.bus.write16(physical, value);
  }
  /** Linear address of an access of `size` bytes, checked against the segment; may fault. */
  linear(seg, offset, size, write) {
    return linearAddress(this, seg, offset, size, write);
  }
  /** Physical address of a linear one, for an access at the present privilege level; may fault. */
  translate(linear, write) {
    return translate(this, linear, write, isUser(this.r), false);
  }
  translateSystem(linear, write) {
    return translate(this, linear, write, false, false);
  }
  // --- stack ------------------------------------------------------------------------------------------
  /** Writes below the stack pointer `esp`; the caller commits the new one. SS.B says which bits of it count. */
  pushAt(esp, size, value) {
    const mask2 = stackMask(this.r);
    const offset = esp - size & mask2;
    this.writeMemory(SS, offset, size, value);
    return esp & ~mask2 | offset;
  }
  /** Reads `above` bytes over the stack pointer. */
  readStack(above, size) {
    const r = this.r;
    return this.readMemory(SS, r[ESP] + above & stackMask(r), size);
  }
  /** The stack pointer moved up by `bytes`. */
  espAbove(bytes) {
    const r = this.r;
    const mask2 = stackMask(r);
    return r[ESP] & ~mask2 | r[ESP] + bytes & mask2;
  }
};
function flagsOf({ features }) {
  return 229333 | (features.has("486") ? AC : 0) | (features.has("vme") ? VIF | VIP : 0) | (features.has("cpuid") ? ID : 0);
}

// src/cpu/directMemory.ts
var DIRECT_READ = 1;
var DIRECT_WRITE = 16;

// src/cpu/bulkStrings.ts
var PAGE_BYTES = 4096;
function bulkStrings({ r }, op, most, { pages, words, halves, bytes }, flat) {
  const { mnemonic, opcode } = op.row;
  const moves = mnemonic === "movs";
  if (!moves && mnemonic !== "stos" || op.addrSize !== 4 || (r[EFLAGS] & DF) !== 0) return 0;
  if ((flat & 1 << ES) === 0 || moves && (flat & 1 << op.seg) === 0) return 0;
  const size = (opcode[0] & 1) === 0 ? 1 : op.opSize;
  const units = size === 4 ? words : size === 2 ? halves : bytes;
  let done = 0;
  for (let left = Math.min((r[ECX] >>> 0) - 1, most); left > 0; ) {
    const to = pages[r[EDI] >>> 12];
    const from = moves ? pages[r[ESI] >>> 12] : DIRECT_READ;
    if ((to & DIRECT_WRITE) === 0 || (from & DIRECT_READ) === 0 || ((r[EDI] | (moves ? r[ESI] : 0)) & size - 1) !== 0) break;
    const source = (from & -PAGE_BYTES | r[ESI] & PAGE_BYTES - 1) / size;
    const target = (to & -PAGE_BYTES | r[EDI] & PAGE_BYTES - 1) / size;
    const room = PAGE_BYTES - Math.max(r[EDI] & PAGE_BYTES - 1, moves ? r[ESI] & PAGE_BYTES - 1 : 0);
    const count = Math.min(left, room / size);
    if (moves) for (let k = 0; k < count; k++) units[target + k] = units[source + k];
    else units.fill(r[EAX], target, target + count);
    if (moves) r[ESI] += count * size;
    r[EDI] += count * size;
    r[ECX] -= count;
    r[EFLAGS] |= RF;
    done += count;
    left -= count;
  }
  return done;
}

// src/cpu/formNumbers.ts
var GENERIC = 0;
var NOP = 1;
var MOV_R = 2;
var MOV_RM = 3;
var MOV_M = 4;
var MOV_R8 = 5;
var MOV_R8M = 6;
var MOV_M8 = 7;
var MOV_M16 = 8;
var LEA = 9;
var ADD_R = 10;
var ADD_RM = 11;
var ADD_M = 12;
var SUB_R = 13;
var SUB_RM = 14;
var SUB_M = 15;
var AND_R = 16;
var AND_RM = 17;
var AND_M = 18;
var OR_R = 19;
var OR_RM = 20;
var OR_M = 21;
var XOR_R = 22;
var XOR_RM = 23;
var XOR_M = 24;
var CMP_R = 25;
var CMP_RM = 26;
var CMP_M = 27;
var TEST_R = 28;
var TEST_M = 29;
var ALU_R = 30;
var ALU_RM = 31;
var ALU_M = 32;
var ALU_R8 = 33;
var ALU_R8M = 34;
var ALU_M8 = 35;
var CMP_R8 = 36;
var CMP_R8M = 37;
var CMP_M8 = 38;
var TEST_R8 = 39;
var TEST_M8 = 40;
var INC_R = 41;
var INC_M = 42;
var DEC_R = 43;
var DEC_M = 44;
var NEG_R = 45;
var NOT_R = 46;
var SHL_R = 47;
var SHR_R = 48;
var SAR_R = 49;
var ROL_R = 50;
var ROR_R = 51;
var IMUL_R = 52;
var IMUL_RM = 53;
var IMUL_3 = 54;
var MOVZX_8 = 55;
var MOVZX_16 = 56;
var MOVZX_8M = 57;
var MOVZX_16M = 58;
var MOVSX_8 = 59;
var MOVSX_8M = 60;
var MOVSX_16 = 61;
var MOVSX_16M = 62;
var SET = 63;
var CMOV = 64;
var CDQ = 65;
var PUSH = 66;
var POP = 67;
var LEAVE = 68;
var JCC = 69;
var CMP_JCC = 70;
var TEST_JCC = 71;
var DEC_JCC = 72;
var JMP = 73;
var JMP_M = 74;
var JMP_R = 75;
var CALL = 76;
var RET = 77;
var SUB_Q = 78;
var AND_Q = 79;
var OR_Q = 80;
var XOR_Q = 81;
var SHR_Q = 82;
var SAR_Q = 83;
var ROL_Q = 84;
var REPEAT = 85;
var STACK2 = 1 << 8;

// src/cpu/runBlocks.ts
function canRunBlocks({ r, undefinedFlags }) {
  return (r[EFLAGS] & TF | r[SHADOW] & 3 | r[DR7] & 255 | r[EVENT] & EVENT_VALID | r[SEG_BASE + CS] | ~r[SEG_LIMIT + CS]) === 0 && (r[SEG_ATTR + CS] & ATTR_BIG) !== 0 && r[ACTIVITY] === ACTIVE && undefinedFlags.kind === "fixed";
}
function runBlocks(cpu, start, budget, code, memory, flat) {
  const r = cpu.r;
  const r8 = cpu.r8;
  const { pages, words, halves, bytes } = memory;
  const { cache } = code;
  const { versions } = cache;
  let block = start;
  let done = 0;
  cpu.remark = null;
  cpu.stop = 0;
  if ((r[EFLAGS] & RF) !== 0 && (start.ops.length === 0 || start.ops[0].form !== REPEAT)) return 0;
  for (; ; ) {
    const ops = block.ops;
    if (ops.length === 0 || block.count > budget - done) {
      r[EIP] = block.eip;
      return done;
    }
    cache.running = block;
    let eip = block.end;
    for (let k = 0; k < ops.length; k++) {
      const op = ops[k];
      let how = op.form;
      let at = 0;
      if (op.need !== 0) {
        const linear = r[op.base] + (r[op.index] << op.scale) + op.disp | 0;
        const entry = (flat & op.segment) !== 0 ? pages[linear >>> 12] : 0;
        if ((entry & op.need) === op.need && (linear & op.align) === 0) at = entry & -4096 | linear & 4095;
        else how = GENERIC;
      }
      switch (how) {
        case NOP:
          break;
        case MOV_R:
          r[op.a] = r[op.b] + op.value;
          break;
        case MOV_RM:
          r[op.a] = words[at >> 2];
          break;
        case MOV_M:
          words[at >> 2] = r[op.b] + op.value;
          break;
        case MOV_R8:
          r8[op.a] = r8[op.b] + op.value;
          break;
        case MOV_R8M:
          r8[op.a] = bytes[at];
          break;
        case MOV_M8:
          bytes[at] = r8[op.b] + op.value;
          break;
        case MOV_M16:
          halves[at >> 1] = r[op.b] + op.value;
          break;
        case LEA:
          r[op.a] = r[op.base] + (r[op.index] << op.scale) + op.disp;
          break;
        case ADD_R:
          r[op.a] = add(r, r[op.a], r[op.b] + op.value | 0, 4);
          break;
        case ADD_RM:
          r[op.a] = add(r, r[op.a], words[at >> 2], 4);
          break;
        case ADD_M:
          words[at >> 2] = add(r, words[at >> 2], r[op.b] + op.value | 0, 4);
          break;
        case SUB_R:
          r[op.a] = sub(r, r[op.a], r[op.b] + op.value | 0, 4);
          break;
        case SUB_RM:
          r[op.a] = sub(r, r[op.a], words[at >> 2], 4);
          break;
        case SUB_M:
          words[at >> 2] = sub(r, words[at >> 2], r[op.b] + op.value | 0, 4);
          break;
        case AND_R:
          r[op.a] = logical(r, r[op.a] & r[op.b] + op.value, 4);
          break;
        case AND_RM:
          r[op.a] = logical(r, r[op.a] & words[at >> 2], 4);
          break;
        case AND_M:
          words[at >> 2] = logical(r, words[at >> 2] & r[op.b] + op.value, 4);
          break;
        case OR_R:
          r[op.a] = logical(r, r[op.a] | r[op.b] + op.value, 4);
          break;
        case OR_RM:
          r[op.a] = logical(r, r[op.a] | words[at >> 2], 4);
          break;
        case OR_M:
          words[at >> 2] = logical(r, words[at >> 2] | r[op.b] + op.value, 4);
          break;
        case XOR_R:
          r[op.a] = logical(r, r[op.a] ^ r[op.b] + op.value, 4);
          break;
        case XOR_RM:
          r[op.a] = logical(r, r[op.a] ^ words[at >> 2], 4);
          break;
        case XOR_M:
          words[at >> 2] = logical(r, words[at >> 2] ^ r[op.b] + op.value, 4);
          break;
        case CMP_R:
          sub(r, r[op.a], r[op.b] + op.value | 0, 4);
          break;
        case CMP_RM:
          sub(r, r[op.a], words[at >> 2], 4);
          break;
        case CMP_M:
          sub(r, words[at >> 2], r[op.b] + op.value | 0, 4);
          break;
        case TEST_R:
          logical(r, r[op.a] & r[op.b] + op.value, 4);
          break;
        case TEST_M:
          logical(r, words[at >> 2] & r[op.b] + op.value, 4);
          break;
        case ALU_R:
          r[op.a] = alu(r, op.kind, r[op.a], r[op.b] + op.value | 0, 4);
          break;
        case ALU_RM:
          r[op.a] = alu(r, op.kind, r[op.a], words[at >> 2], 4);
          break;
        case ALU_M:
          words[at >> 2] = alu(r, op.kind, words[at >> 2], r[op.b] + op.value | 0, 4);
          break;
        case ALU_R8:
          r8[op.a] = alu(r, op.kind, r8[op.a], r8[op.b] + op.value, 1);
          break;
        case ALU_R8M:
          r8[op.a] = alu(r, op.kind, r8[op.a], bytes[at], 1);
          break;
        case ALU_M8:
          bytes[at] = alu(r, op.kind, bytes[at], r8[op.b] + op.value, 1);
          break;
        case CMP_R8:
          sub(r, r8[op.a], r8[op.b] + op.value, 1);
          break;
        case CMP_R8M:
          sub(r, r8[op.a], bytes[at], 1);
          break;
        case CMP_M8:
          sub(r, bytes[at], r8[op.b] + op.value, 1);
          break;
        case TEST_R8:
          logical(r, r8[op.a] & r8[op.b] + op.value, 1);
          break;
        case TEST_M8:
          logical(r, bytes[at] & r8[op.b] + op.value, 1);
          break;
        case INC_R:
          r[op.a] = inc(r, r[op.a], 4);
          break;
        case INC_M:
          words[at >> 2] = inc(r, words[at >> 2], 4);
          break;
        case DEC_R:
          r[op.a] = dec(r, r[op.a], 4);
          break;
        case DEC_M:
          words[at >> 2] = dec(r, words[at >> 2], 4);
          break;
        case NEG_R:
          r[op.a] = neg(r, r[op.a], 4);
          break;
        case NOT_R:
          r[op.a] = ~r[op.a];
          break;
        case SHL_R: {
          const by = r[op.b] + op.value & 31;
          if (by !== 0) r[op.a] = shl(r, r[op.a], by, 4);
          break;
        }
        case SHR_R: {
          const by = r[op.b] + op.value & 31;
          if (by !== 0) r[op.a] = shr(r, r[op.a], by, 4);
          break;
        }
        case SAR_R: {
          const by = r[op.b] + op.value & 31;
          if (by !== 0) r[op.a] = sar(r, r[op.a], by, 4);
          break;
        }
        case ROL_R: {
          const by = r[op.b] + op.value & 31;
          if (by !== 0) r[op.a] = rol(r, r[op.a], by, 4);
          break;
        }
        case ROR_R: {
          const by = r[op.b] + op.value & 31;
          if (by !== 0) r[op.a] = ror(r, r[op.a], by, 4);
          break;
        }
        case IMUL_R:
          r[op.a] = imul(r, r[op.a], r[op.b], 4);
          break;
        case IMUL_RM:
          r[op.a] = imul(r, r[op.a], words[at >> 2], 4);
          break;
        case IMUL_3:
          r[op.a] = imul(r, r[op.b], op.value, 4);
          break;
        case MOVZX_8:
          r[op.a] = r8[op.b];
          break;
        case MOVZX_8M:
          r[op.a] = bytes[at];
          break;
        case MOVZX_16M:
          r[op.a] = halves[at >> 1];
          break;
        case MOVSX_8:
          r[op.a] = r8[op.b] << 24 >> 24;
          break;
        case MOVSX_8M:
          r[op.a] = bytes[at] << 24 >> 24;
          break;
        case MOVZX_16:
          r[op.a] = r[op.b] & 65535;
          break;
        case MOVSX_16:
          r[op.a] = r[op.b] << 16 >> 16;
          break;
        case MOVSX_16M:
          r[op.a] = halves[at >> 1] << 16 >> 16;
          break;
        case SET:
          r8[op.a] = condition(r[EFLAGS], op.kind) ? 1 : 0;
          break;
        case CMOV:
          if (condition(r[EFLAGS], op.kind)) r[op.a] = r[op.b];
          break;
        case CDQ:
          r[EDX] = r[EAX] >> 31;
          break;
        case PUSH:
          words[at >> 2] = r[op.b] + op.value;
          r[ESP] -= 4;
          break;
        case POP:
          r[ESP] += 4;
          r[op.a] = words[at >> 2];
          break;
        case LEAVE:
          r[ESP] = r[EBP] + 4;
          r[EBP] = words[at >> 2];
          break;
        case JCC:
          if (condition(r[EFLAGS], op.kind)) eip = eip + op.value | 0;
          break;
        case CMP_JCC:
          sub(r, r[op.a], r[op.b] + op.value | 0, 4);
          if (condition(r[EFLAGS], op.kind)) eip = eip + op.disp | 0;
          break;
        case TEST_JCC:
          logical(r, r[op.a] & r[op.b] + op.value, 4);
          if (condition(r[EFLAGS], op.kind)) eip = eip + op.disp | 0;
          break;
        case DEC_JCC:
          r[op.a] = dec(r, r[op.a], 4);
          if (condition(r[EFLAGS], op.kind)) eip = eip + op.disp | 0;
          break;
        case JMP:
          eip = eip + op.value | 0;
          break;
        case JMP_M:
          eip = words[at >> 2];
          break;
        case JMP_R:
          eip = r[op.b];
          break;
        case CALL:
          words[at >> 2] = eip;
          r[ESP] -= 4;
          eip = eip + op.value | 0;
          break;
        case RET:
          r[ESP] += 4 + op.value;
          eip = words[at >> 2];
          break;
        case SUB_Q:
          r[op.a] -= r[op.b];
          break;
        case AND_Q:
          r[op.a] &= r[op.b] + op.value;
          break;
        case OR_Q:
          r[op.a] |= r[op.b] + op.value;
          break;
        case XOR_Q:
          r[op.a] ^= r[op.b] + op.value;
          break;
        case SHR_Q:
          r[op.a] = r[op.a] >>> op.value;
          break;
        case SAR_Q:
          r[op.a] >>= op.value;
          break;
        case ROL_Q:
          r[op.a] = r[op.a] << op.value | r[op.a] >>> 32 - op.value;
          break;
        case REPEAT: {
          const here = block.eip + op.start | 0;
          r[EIP] = here;
          let turns = bulkStrings(cpu, op.op, budget - done - k - 1, memory, flat);
          do {
            cpu.next = eip;
            code.attempt();
            op.op.handler(cpu, op.op);
            if (cpu.stop !== 0) return done + k + turns;
            turns++;
          } while (cpu.next === here && !block.stale && done + k + turns < budget);
          if (cpu.next === here) return done + k + turns;
          r[EFLAGS] &= ~RF;
          if (block.stale) {
            r[EIP] = eip;
            return done + k + turns;
          }
          done += turns - 1;
          break;
        }
        default:
          r[EIP] = block.eip + op.start;
          cpu.next = block.eip + op.end | 0;
          code.attempt();
          op.op.handler(cpu, op.op);
          if (cpu.stop !== 0) return done + k;
          if (block.stale) {
            r[EIP] = cpu.next;
            return done + k + 1;
          }
          if (k === ops.length - 1) eip = cpu.next;
      }
    }
    done += block.count;
    let next = block.next;
    if (next.eip !== eip || next.version !== versions[next.page]) {
      next = block.other;
      if (next.eip !== eip || next.version !== versions[next.page]) {
        r[EIP] = eip;
        const found2 = code.find(eip);
        if (found2 === null) return done;
        block.other = block.next;
        block.next = next = found2;
      }
    }
    block = next;
  }
}

// src/cpu/wayOut.ts
var INSTRUCTIONS_MAX2 = 2e4;
function wayOutOf(executed, returns, opAt) {
  const seen = new Set(executed);
  let open = [...executed];
  let acts = false;
  for (let level = 0; ; level++) {
    let returned = false;
    while (open.length > 0) {
      const at = open.pop();
      const op = opAt(at);
      if (op === null || seen.size > INSTRUCTIONS_MAX2) return "ends";
      const next = nextOf(op, at);
      if (!executed.has(at)) {
        if (isSeen(op)) acts = true;
        if (next === null) {
          if (!op.row?.mnemonic.startsWith("ret")) return "ends";
          returned = true;
        }
      }
      for (const one of next ?? []) {
        if (seen.has(one)) continue;
        seen.add(one);
        open.push(one);
      }
    }
    if (!returned) return acts ? "acts" : null;
    if (level === returns.length) return "ends";
    open = seen.has(returns[level]) ? [] : [returns[level]];
    if (open.length === 0) return acts ? "acts" : null;
    seen.add(returns[level]);
  }
}
function isSeen(op) {
  const name = op.row?.mnemonic ?? "";
  if (name.startsWith("call")) return true;
  if (name === "nop") return (op.disp & ~65535) === EXIT_CALL && !QUIET_CALLS.includes(op.disp & 65535);
  if (/^(stos|movs[bwd]?$|out)/.test(name) && (op.a.kind === IMPLIED || name === "out")) return true;
  if (op.a.kind !== MEM || ["cmp", "test", "push", "jmp"].includes(name)) return op.b.kind === MEM && name === "xchg";
  return op.base !== ESP && op.base !== EBP;
}
var QUIET_CALLS = [1, 2, 3, 7, 14, 15];
function nextOf(op, eip) {
  const name = op.row?.mnemonic ?? "";
  const after = eip + op.length >>> 0;
  const target = after + op.a.value >>> 0;
  if (op.row === null || /^(ret|iret)/.test(name) || name === "nop" && op.disp === EXIT_CALL) return null;
  if (name === "jmp") return op.a.kind === IMM ? [target] : null;
  if ((name.startsWith("j") || name.startsWith("loop")) && op.a.kind === IMM) return [after, target];
  return [after];
}

// src/state/store.ts
var Store = class {
  w;
  /** Words below this index are part of the hash. */
  hashed;
  /** The two hash lanes. */
  h0 = 0;
  h1 = 0;
  #log = new Int32Array(1 << 12);
  #top = 0;
  /** @param length words in all; @param hashed words, from 0, that belong to the hash */
  constructor(length, hashed = length) {
    this.w = new Int32Array(length);
    this.hashed = hashed;
  }
  /** Sets word `i` to `value`, logged and hashed. */
  set(i, value) {
    const old = this.w[i];
    value |= 0;
    if (old === value) return;
    if (this.#top + 2 > this.#log.length) this.#grow();
    this.#log[this.#top++] = i;
    this.#log[this.#top++] = old;
    if (i < this.hashed) this.#rehash(i, old, value);
    this.w[i] = value;
  }
  /** Sets `count` words from `i` to the values in `from`, logged and hashed. */
  setAll(i, from, count) {
    for (let k = 0; k < count; k++) this.set(i + k, from[k]);
  }
  /**
   * Logs and hashes what was written straight into `w` since `before` was copied from it: the register
   * block of a vCPU is a plain array to the instruction handlers, and enters the log only here.
   * @param base first word; @param before the block as it was, `count` words
   */
  commit(base, before2, count) {
    const w = this.w;
    for (let k = 0; k < count; k++) {
      const old = before2[k];
      const value = w[base + k];
      if (old === value) continue;
      if (this.#top + 2 > this.#log.length) this.#grow();
      this.#log[this.#top++] = base + k;
      this.#log[this.#top++] = old;
      if (base + k < this.hashed) this.#rehash(base + k, old, value);
    }
  }
  /**
   * Sets words as `set` would, from rows that were worked out before: index, old value (which the word must have), new
   * value, three words each. @param h0 change of the hash, as are `h1`
   */
  redo(rows, from, count, h0, h1) {
    while (this.#top + count * 2 > this.#log.length) this.#grow();
    const w = this.w;
    const log = this.#log;
    let top = this.#top;
    const end2 = from + count * 3;
    for (let row = from; row < end2; row += 3) {
      const index = rows[row];
      log[top++] = index;
      log[top++] = rows[row + 1];
      w[index] = rows[row + 2];
    }
    this.#top = top;
    this.h0 ^= h0;
    this.h1 ^= h1;
  }
  /** Where the log ends now. */
  get top() {
    return this.#top;
  }
  /** The changes since the log ended at `top`, oldest first: word and what it held before. No mark lies between. */
  forEachSince(top, visit) {
    for (let at = top; at < this.#top; at += 2) visit(this.#log[at], this.#log[at + 1]);
  }
  /** The changes of the log between two tops, oldest first. */
  forEachBetween(from, to, visit) {
    for (let at = from; at < to; at += 2) visit(this.#log[at], this.#log[at + 1]);
  }
  /** A point that `undoTo` can return to. */
  mark() {
    if (this.#top + 2 > this.#log.length) this.#grow();
    this.#log[this.#top++] = this.h0;
    this.#log[this.#top++] = this.h1;
    return this.#top;
  }
  /** Restores words and hash to what they were when `mark()` returned `point`, and drops the point. */
  undoTo(point) {
    const log = this.#log;
    let top = this.#top;
    while (top > point) {
      top -= 2;
      this.w[log[top]] = log[top + 1];
    }
    this.h1 = log[point - 1];
    this.h0 = log[point - 2];
    this.#top = point - 2;
  }
  /** Forgets the log: what was set so far becomes the initial state. */
  seal() {
    this.#top = 0;
  }
  /** Entries in the log, in words. */
  get logWords() {
    return this.#top;
  }
  /** The hash computed from nothing, as [h0, h1]: what `h0`, `h1` must equal at any time. */
  fullHash() {
    let h0 = 0;
    let h1 = 0;
    for (let i = 0; i < this.hashed; i++) {
      if (this.w[i] === 0) continue;
      h0 ^= mix0(i, this.w[i]);
      h1 ^= mix1(i, this.w[i]);
    }
    return [h0, h1];
  }
  #rehash(i, old, value) {
    if (old !== 0) {
      this.h0 ^= mix0(i, old);
      this.h1 ^= mix1(i, old);
    }
    if (value !== 0) {
      this.h0 ^= mix0(i, value);
      this.h1 ^= mix1(i, value);
    }
  }
  #grow() {
    const log = new Int32Array(this.#log.length * 2);
    log.set(this.#log);
    this.#log = log;
  }
};
function mix0(i, value) {
  let h = Math.imul(value ^ Math.imul(i, 2654435761), 2246822507) + i;
  h = Math.imul(h ^ h >>> 16, 2246822507);
  h = Math.imul(h ^ h >>> 13, 3266489909);
  return h ^ h >>> 16;
}
function mix1(i, value) {
  let h = Math.imul(value, 668265263) + Math.imul(i ^ 374761393, 2654435761);
  h = Math.imul(h ^ h >>> 15, 739982445);
  h = Math.imul(h ^ h >>> 12 ^ i, 695872825);
  return h ^ h >>> 15;
}

// src/cpu/decodeMemo.ts
var SLOTS = 512;
var DecodeMemo = class {
  #known = new Array(SLOTS);
  /** As `decode`, of the first `available` of `bytes`; the operation is lent. */
  decode(bytes, available, code32) {
    const slot = slotOf(bytes, available);
    const known = this.#known[slot];
    if (known !== void 0 && known.code32 === code32 && (known.op.length > 0 ? known.bytes.length <= available : known.bytes.length === available)) {
      let same = true;
      for (let b = 0; b < known.bytes.length && same; b++) same = known.bytes[b] === bytes[b];
      if (same) return known.op;
    }
    const op = decode(bytes, 0, available, code32);
    this.#known[slot] = { code32, bytes: bytes.slice(0, op.length || available), op };
    return op;
  }
};
function slotOf(bytes, available) {
  const count = Math.min(available, 8);
  let hash = count;
  for (let b = 0; b < count; b++) hash = Math.imul(hash ^ bytes[b], 2654435761);
  return hash >>> 16 & SLOTS - 1;
}

// src/smp/layout.ts
var PHASE = 0;
var HISTORY_COUNT = 1;
var GLOBAL_WORDS = 4;
var PHASE_INIT = 0;
var PHASE_RUN = 1;
var PHASE_FINAL = 2;
var PHASE_DONE = 3;
var STATUS = REGISTER_WORDS;
var KICKED = STATUS + 1;
var NMI_PENDING = STATUS + 2;
var IRR = STATUS + 3;
var POSED = IRR + 8;
var FETCHED_LENGTH = POSED + 1;
var FETCHED_BYTES = FETCHED_LENGTH + 1;
var ANSWER_COUNT = FETCHED_BYTES + 4;
var ANSWERS = ANSWER_COUNT + 1;
var ANSWERS_MAX = 512;
var BUFFER_COUNT = ANSWERS + ANSWERS_MAX;
var BUFFER = BUFFER_COUNT + 1;
var BUFFER_ENTRY_WORDS = 4;
var BUFFER_ENTRIES_MAX = 32;
var VCPU_WORDS = BUFFER + BUFFER_ENTRIES_MAX * BUFFER_ENTRY_WORDS;
var RUNNABLE = 0;
var ENDED = 1;
var PENDING2 = 0;
var PENDING_ADDRESS = 1;
var PENDING_SIZE = 2;
var PENDING_WAYS = 3;
var ICOUNT = 4;
var LOCAL = 5;
var WAKE_CAME = 6;
var WAKE_WHAT = 7;
var WAKE_TAKEN = 8;
var QUIET_WORDS = 9;
var AT_NOTHING = 0;
var AT_BOUNDARY = 1;
var AT_FETCH = 2;
var AT_LOAD = 3;
var AT_STORE = 4;
var AT_LOCKED = 5;
var AT_FENCE = 6;
var AT_SERIALIZE = 7;
var AT_CHOOSE = 8;
var AT_SEND = 9;
var AT_BLOCK = 10;
var BLOCK_UNTIL_INTERRUPT = 1;
var AT_MARK = 11;
var AT_LOCAL = 12;
var AT_HALT = 13;
var AT_END = 14;
var AT_CUT = 15;
var AT_POLL = 16;
var AT_TRANSLATE = 17;
var PENDING_NAMES = [
  "nothing",
  "boundary",
  "fetch",
  "load",
  "store",
  "locked",
  "fence",
  "serialize",
  "choose",
  "send",
  "block",
  "mark",
  "local",
  "halt",
  "end",
  "cut",
  "poll",
  "translate"
];
function layOut(vcpus, sources2, historyWords2, historyEntries, translationWords2, ghostWords, memoryWords) {
  const vcpu = GLOBAL_WORDS;
  const sourcesAt = vcpu + vcpus * VCPU_WORDS;
  const history = sourcesAt + sources2;
  const translations = history + historyWords2;
  const ghosts = translations + translationWords2;
  const memory = ghosts + ghostWords;
  const quiet = memory + memoryWords;
  const serials = quiet + vcpus * QUIET_WORDS;
  return { vcpus, vcpu, sources: sourcesAt, history, translations, ghosts, memory, quiet, serials, length: serials + 1 + historyEntries };
}

// src/smp/fetchView.ts
var INT3 = 204;
var WINDOW = 15;
var VARIANTS_MAX = 1024;
function historyWords(vcpus, entriesMax) {
  return entriesMax * entryWords(vcpus);
}
function entryWords(vcpus) {
  return 4 + (vcpus + 3 >> 2);
}
var FetchView = class {
  /** Variants of the last `enumerate`, 16 bytes each: bytes, and the time of each byte. */
  bytes = new Uint8Array(VARIANTS_MAX * 16);
  times = new Uint8Array(VARIANTS_MAX * 16);
  lengths = new Uint8Array(VARIANTS_MAX);
  count = 0;
  /** Code writes that the last `use` needed to be made before; later ones it would not have noticed. */
  seen = 0;
  /** The history or the variants reached their cap: some behaviours are not covered. */
  capped = false;
  #store;
  #base;
  /** Number of code writes so far, then of each entry its number among them (layout.ts); not part of the hashed state. */
  #serials;
  #memory;
  #sharing;
  #model;
  #vcpus;
  #entry;
  #inQueue;
  /** Value of each window byte at each time, 16 a time; earliest time each byte may have. */
  #versions;
  #floor = new Uint8Array(16);
  #bytes = new Uint8Array(16);
  #time = new Uint8Array(16);
  #physical = new Int32Array(16);
  /** Alias of the page that each window byte is fetched through. */
  #alias = new Int32Array(16);
  constructor(store, base, serials, memory, sharing, model, vcpus, inQueue) {
    this.#store = store;
    this.#base = base;
    this.#serials = serials;
    this.#memory = memory;
    this.#sharing = sharing;
    this.#model = model;
    this.#vcpus = vcpus;
    this.#entry = entryWords(vcpus);
    this.#inQueue = inQueue;
    this.#versions = new Uint8Array((model.fetchHistory + 2) * 16);
  }
  get entries() {
    return this.#store.w[HISTORY_COUNT];
  }
  /**
   * Notes that `writer` is about to store `sizeBytes` at `physical`. Call before memory changes.
   * @param writer vCPU; its own view passes the write at once where the CPU compares stores with what it
   *   has fetched (Pentium and later, SDM vol. 3A 11.6)
   * @param paged the writer has paging on
   * @returns whether it may be seen stale
   */
  push(writer, physical, sizeBytes, low, high, alias, paged) {
    if (this.#model.fetch.kind === "coherent" || !this.#sharing.codeShared) return false;
    const memory = this.#memory;
    const at = memory.index(physical);
    let changed = 0;
    let fetched = false;
    for (let b = 0; b < sizeBytes; b++) {
      if (memory.u8[at + b] !== byteOf(low, high, b)) changed |= 1 << b;
      if (this.#sharing.fetchers[memory.granule(at + b)] !== 0) fetched = true;
    }
    if (changed === 0 || !fetched) return false;
    if (this.entries === this.#model.fetchHistory) {
      this.capped = true;
      this.#remove(0);
    }
    const entry = this.#base + this.entries * this.#entry;
    const store = this.#store;
    store.set(entry, physical);
    store.set(entry + 1, sizeBytes | writer << 4 | alias);
    store.set(entry + 2, memory.load(at, Math.min(4, sizeBytes)));
    store.set(entry + 3, sizeBytes > 4 ? memory.load(at + 4, sizeBytes - 4) : 0);
    for (let k = 4; k < this.#entry; k++) store.set(entry + k, 0);
    store.set(HISTORY_COUNT, this.entries + 1);
    store.set(this.#serials + this.entries, store.w[this.#serials]);
    for (let v = 0; v < this.#vcpus; v++) {
      let passed = ~changed & 255;
      if (v === writer && this.#model.ownStoresSeen && !(paged && this.#model.matchesLinear)) passed = 255;
      else if (this.#model.queueOnly || v === writer && this.#model.cpu.queueBytes > 0) {
        for (let b = 0; b < sizeBytes; b++) if (!this.#inQueue(v, physical + b)) passed |= 1 << b;
      }
      for (let b = 0; b < sizeBytes; b++)
        if ((this.#sharing.fetchers[memory.granule(at + b)] & 1 << v) === 0) passed |= 1 << b;
      this.#pass(this.entries - 1, v, passed);
      if (v === writer && passed === 255) this.#passOlder(this.entries - 1, v);
    }
    if (this.#compact(this.entries - 1)) return false;
    store.set(this.#serials, store.w[this.#serials] + 1);
    return true;
  }
  /** Core serialisation on `vcpu`: nothing that was fetched before may be executed after. */
  serialize(vcpu) {
    if (this.entries === 0) return;
    for (let k = 0; k < this.entries; k++) this.#pass(k, vcpu, 255);
    this.#compact();
  }
  /** `vcpu` jumped: its prefetch queue is refilled, so that it sees its own stores, and everything that only the queue held back. */
  branch(vcpu) {
    let changed = false;
    for (let k = 0; k < this.entries; k++) {
      const own = this.#writer(k) === vcpu;
      if (!own && !this.#model.queueOnly) continue;
      this.#pass(k, vcpu, 255);
      if (own) this.#passOlder(k, vcpu);
      changed = true;
    }
    if (changed) this.#compact();
  }
  /**
   * The byte strings that `vcpu` may execute at the instruction whose bytes stand at the physical addresses
   * `physical[0 .. available)`, into `bytes`, `times`, `lengths`, `count`; number 0 is what memory holds now.
   * Of all ways to take the same bytes, the earliest is listed: it leaves the most open for later.
   */
  enumerate(vcpu, linear, physical, available, lengthOf) {
    this.count = 0;
    this.#physical.set(physical.subarray(0, 16));
    for (let b = 0; b < available; b++) this.#alias[b] = (linear + b ^ physical[b]) & ~4095;
    const m = this.#fillVersions(vcpu, available);
    const now = m * 16;
    if (m === 0 || this.#model.fetch.kind === "coherent") {
      this.#bytes.set(this.#versions.subarray(now, now + 16));
      this.#time.fill(m);
      this.#emit(lengthOf(this.#bytes, available) || available);
      return 1;
    }
    this.#extend(0, 0, m, linear, available, lengthOf);
    for (let v = 1; v < this.count; v++) if (this.#equalsNow(v, now)) this.#swap(0, v);
    return this.count;
  }
  /** `vcpu` executes variant `v` of the last `enumerate`: what is older than its bytes can no longer be seen. */
  use(vcpu, v) {
    this.seen = 0;
    for (let b = 0; b < this.lengths[v]; b++) {
      const time = this.times[v * 16 + b];
      if (time > 0) this.seen = Math.max(this.seen, this.#store.w[this.#serials + time] + 1);
      for (let k = 0; k < time; k++) {
        const bit2 = this.#bitOf(k, this.#physical[b]);
        if (bit2 !== 0) this.#pass(k, vcpu, bit2);
      }
    }
    this.#compact();
  }
  /**
   * Rung `strict`: whether variant `v` holds a byte that was modified since `vcpu` last serialised, other
   * than by a one-byte store that places or removes an INT3.
   */
  races(vcpu, v) {
    for (let k = 0; k < this.entries; k++) {
      if (this.#exempt(k)) continue;
      for (let b = 0; b < this.lengths[v]; b++) {
        const bit2 = this.#bitOf(k, this.#physical[b]);
        if (bit2 !== 0 && !this.#isPast(k, vcpu, bit2, b)) return true;
      }
    }
    return false;
  }
  #extend(from, notBefore, m, linear, available, lengthOf) {
    const end2 = Math.min(available, this.#chunkEnd(from, linear));
    const versions = this.#versions;
    const accepted = [];
    for (let t = notBefore; t <= m; t++) {
      const row = t * 16;
      for (let b = from; b < end2; b++) this.#bytes[b] = versions[row + b];
      const length = lengthOf(this.#bytes, end2);
      const limit2 = length === 0 ? end2 : Math.min(length, end2);
      if (!this.#allowed(t, from, limit2)) continue;
      if (accepted.some((other) => sameBytes(versions, other * 16, row, from, limit2))) continue;
      accepted.push(t);
      for (let b = from; b < limit2; b++) this.#time[b] = t;
      if (length !== 0 || end2 === available) this.#emit(length || available);
      else this.#extend(end2, this.#model.fetch.kind === "ordered" ? t : 0, m, linear, available, lengthOf);
    }
  }
  #chunkEnd(from, linear) {
    const chunk = this.#model.fetch.chunkBytes;
    return chunk === 0 ? WINDOW : from + chunk - (linear + from & chunk - 1);
  }
  #allowed(t, from, limit2) {
    for (let b = from; b < limit2; b++) if (t < this.#floor[b]) return false;
    return true;
  }
  #emit(length) {
    if (this.count === VARIANTS_MAX) {
      this.capped = true;
      return;
    }
    this.bytes.set(this.#bytes, this.count * 16);
    this.times.set(this.#time, this.count * 16);
    this.lengths[this.count++] = length;
  }
  #equalsNow(v, now) {
    for (let b = 0; b < this.lengths[v]; b++) if (this.bytes[v * 16 + b] !== this.#versions[now + b]) return false;
    return true;
  }
  #swap(a, b) {
    for (const array of [this.bytes, this.times]) {
      const kept = array.slice(a * 16, a * 16 + 16);
      array.copyWithin(a * 16, b * 16, b * 16 + 16);
      array.set(kept, b * 16);
    }
    const length = this.lengths[a];
    this.lengths[a] = this.lengths[b];
    this.lengths[b] = length;
  }
  /** Fills the table of versions; returns the time that is "now", 0 where no entry touches the window. */
  #fillVersions(vcpu, available) {
    const memory = this.#memory;
    let m = this.entries;
    let touched = false;
    for (let b = 0; b < available; b++) {
      this.#floor[b] = 0;
      let value = memory.u8[memory.index(this.#physical[b])];
      this.#versions[m * 16 + b] = value;
      for (let k = m - 1; k >= 0; k--) {
        const bit2 = this.#bitOf(k, this.#physical[b]);
        if (bit2 !== 0) {
          const newer = value;
          value = byteOf(this.#old(k), this.#oldHigh(k), bitIndex(bit2));
          if (!this.#isPast(k, vcpu, bit2, b)) touched = true;
          else if (value !== newer) this.#floor[b] = Math.max(this.#floor[b], k + 1);
        }
        this.#versions[k * 16 + b] = value;
      }
    }
    if (!touched && m > 0) {
      this.#versions.copyWithin(0, m * 16, m * 16 + 16);
      m = 0;
    }
    return m;
  }
  /** Bit of the byte at `physical` in entry `k`; 0 where the entry does not touch it. */
  #bitOf(k, physical) {
    const entry = this.#base + k * this.#entry;
    const byte2 = physical - this.#store.w[entry] | 0;
    return byte2 >= 0 && byte2 < (this.#store.w[entry + 1] & 15) ? 1 << byte2 : 0;
  }
  #old(k) {
    return this.#store.w[this.#base + k * this.#entry + 2];
  }
  #oldHigh(k) {
    return this.#store.w[this.#base + k * this.#entry + 3];
  }
  #exempt(k) {
    const entry = this.#base + k * this.#entry;
    if ((this.#store.w[entry + 1] & 15) !== 1) return false;
    if ((this.#old(k) & 255) === INT3) return true;
    const physical = this.#store.w[entry];
    for (let next = k + 1; next < this.entries; next++) {
      const bit2 = this.#bitOf(next, physical);
      if (bit2 !== 0) return byteOf(this.#old(next), this.#oldHigh(next), bitIndex(bit2)) === INT3;
    }
    return this.#memory.u8[this.#memory.index(physical)] === INT3;
  }
  #writer(k) {
    return this.#store.w[this.#base + k * this.#entry + 1] >>> 4 & 63;
  }
  #passed(k, vcpu) {
    return this.#store.w[this.#base + k * this.#entry + 4 + (vcpu >> 2)] >>> (vcpu & 3) * 8 & 255;
  }
  /** `vcpu` can no longer fetch what entry `k` replaced at byte `b` of the window, whose bit in the entry is `bit`. */
  #isPast(k, vcpu, bit2, b) {
    if ((this.#passed(k, vcpu) & bit2) !== 0) return true;
    if (!this.#model.matchesLinear || this.#writer(k) !== vcpu) return false;
    return (this.#store.w[this.#base + k * this.#entry + 1] & ~4095) === this.#alias[b];
  }
  #pass(k, vcpu, bits) {
    const word = this.#base + k * this.#entry + 4 + (vcpu >> 2);
    this.#store.set(word, this.#store.w[word] | bits << (vcpu & 3) * 8);
  }
  /** The writer's own views of the bytes of entry `newest` that are older than it. */
  #passOlder(newest, vcpu) {
    const entry = this.#base + newest * this.#entry;
    const physical = this.#store.w[entry];
    for (let k = 0; k < newest; k++)
      for (let b = 0; b < (this.#store.w[entry + 1] & 15); b++) {
        const bit2 = this.#bitOf(k, physical + b);
        if (bit2 !== 0) this.#pass(k, vcpu, bit2);
      }
  }
  /** Drops the entries that everyone has passed; true where entry `watched` was one of them. */
  #compact(watched = -1) {
    let dropped = false;
    for (let k = this.entries - 1; k >= 0; k--) {
      const full = (1 << (this.#store.w[this.#base + k * this.#entry + 1] & 15)) - 1;
      let open = false;
      for (let v = 0; v < this.#vcpus && !open; v++) open = (~this.#passed(k, v) & full) !== 0;
      if (open) continue;
      this.#remove(k);
      if (k === watched) dropped = true;
    }
    return dropped;
  }
  #remove(k) {
    const store = this.#store;
    const last = this.#base + (this.entries - 1) * this.#entry;
    for (let at = this.#base + k * this.#entry; at < last; at++) store.set(at, store.w[at + this.#entry]);
    for (let at = last; at < last + this.#entry; at++) store.set(at, 0);
    for (let j = k; j < this.entries - 1; j++) store.set(this.#serials + 1 + j, store.w[this.#serials + 2 + j]);
    store.set(HISTORY_COUNT, this.entries - 1);
  }
};
function byteOf(low, high, byte2) {
  return byte2 < 4 ? low >>> byte2 * 8 & 255 : high >>> (byte2 - 4) * 8 & 255;
}
function bitIndex(bit2) {
  return 31 - Math.clz32(bit2);
}
function sameBytes(table, a, b, from, limit2) {
  for (let k = from; k < limit2; k++) if (table[a + k] !== table[b + k]) return false;
  return true;
}

// src/smp/image.ts
var READ = 1;
var WRITE = 2;
var EXECUTE = 4;

// src/smp/codeWindow.ts
var SLOTS2 = 4096;
var ATTR_D = 1 << 14;
var CodeWindow = class {
  /** Physical addresses of the bytes from EIP on, `available` of them. */
  physical = new Int32Array(16);
  available = 0;
  #cpu;
  #memory;
  #bus;
  #cache = new Array(SLOTS2);
  #bytes = new Uint8Array(16);
  #decoded = new DecodeMemo();
  /** @param bus the CPU's port; while `peeking`, it only looks */
  constructor(cpu, memory, bus) {
    this.#cpu = cpu;
    this.#memory = memory;
    this.#bus = bus;
  }
  /** Decodes what memory holds at EIP. Null: not executable (or `cpu.stop` says that the fetch faulted). */
  load() {
    const cpu = this.#cpu;
    const memory = this.#memory;
    const eip = cpu.r[EIP];
    this.available = 0;
    const code32 = this.#code32;
    const start = cpu.fetchPhysical(eip);
    if (cpu.stop !== 0) return null;
    let index = memory.index(start);
    if (index < 0 || !memory.allows(start, EXECUTE)) return null;
    const cached = this.#cache[eip & SLOTS2 - 1];
    if (cached !== void 0 && cached.eip === eip && cached.code32 === code32 && (start & 4095) + cached.op.length <= 4096) {
      const bytes = cached.bytes;
      let same = true;
      for (let b = 0; b < bytes.length && same; b++) same = memory.u8[index + b] === bytes[b];
      if (same) {
        memory.note(index, bytes.length);
        for (let b = 0; b < WINDOW; b++) this.physical[b] = start + b;
        this.available = cached.op.length;
        return cached.op;
      }
    }
    const room = Math.min(WINDOW, 4096 - (start & 4095));
    this.#take(0, room, start, index);
    let op = decode(this.#bytes, 0, room, code32);
    if (op.length === 0 && room < WINDOW) {
      const next = cpu.fetchPhysical(eip + room | 0);
      if (cpu.stop !== 0) return null;
      index = memory.index(next);
      if (index < 0 || !memory.allows(next, EXECUTE)) return null;
      this.#take(room, WINDOW, next, index);
      op = decode(this.#bytes, 0, WINDOW, code32);
    }
    if (op.length === 0) return null;
    this.#cache[eip & SLOTS2 - 1] = { eip, code32, bytes: this.#bytes.slice(0, op.length), op };
    return op;
  }
  /** Decodes bytes that were fetched before and are kept in the state. */
  decodeKept(u8, at, length) {
    this.#bytes.set(u8.subarray(at, at + 16));
    return this.#decoded.decode(this.#bytes, length, this.#code32);
  }
  /** Notes that `vcpu` fetches the instruction of `length` bytes; true where others may see or change it. `aliases`: also from which linear address. */
  noteFetch(length, sharing, vcpu, aliases) {
    const memory = this.#memory;
    const paged = aliases && (this.#cpu.r[CR0] & CR0_PG) !== 0;
    let visible = false;
    let previous = -1;
    for (let b = 0; b < length; b++) {
      const g = memory.granule(memory.index(this.physical[b]));
      if (g === previous) continue;
      previous = g;
      if (paged) sharing.noteFetchedThrough(g, vcpu, this.#alias(b));
      if (sharing.noteFetch(g, g, 1 << vcpu)) visible = true;
    }
    return visible;
  }
  /** The byte strings that may be fetched here, into `view`; call after `load`. */
  enumerate(view, vcpu) {
    const linear = this.#cpu.r[SEG_BASE + CS] + this.#cpu.r[EIP] | 0;
    this.#fill();
    return view.enumerate(vcpu, linear, this.physical, this.available, (bytes, available) => {
      return this.#decoded.decode(bytes, available, this.#code32).length;
    });
  }
  /** Whether a buffered store touches the instruction; `aliases`: only one through the linear address that it is fetched from. */
  overlapsBuffer(buffer, length, aliases) {
    if (buffer.count === 0) return false;
    for (let b = 0; b < length; b++) if (aliases ? buffer.holdsThrough(this.physical[b], this.#alias(b)) : buffer.overlaps(this.physical[b], 1)) return true;
    return false;
  }
  /** Page address of the linear address of byte `b`, XOR that of its physical one. */
  #alias(b) {
    return (this.#cpu.r[SEG_BASE + CS] + this.#cpu.r[EIP] + b ^ this.physical[b]) & ~4095;
  }
  /** Window bytes `from`..`to` stand at physical address `start`, index `index` of memory. */
  #take(from, to, start, index) {
    this.#memory.note(index, to - from);
    for (let b = from; b < to; b++) {
      this.physical[b] = start + b - from;
      this.#bytes[b] = this.#memory.u8[index + b - from];
    }
    this.available = to;
  }
  /**
   * The window beyond the present instruction, as a stale one may be longer: of the next page, where `load` has not
   * found it, what the tables hold.
   */
  #fill() {
    const cpu = this.#cpu;
    const start = this.physical[0];
    const room = Math.min(WINDOW, 4096 - (start & 4095));
    if (room < WINDOW && this.available > room) return;
    for (let b = 0; b < room; b++) this.physical[b] = start + b;
    this.available = room;
    if (room === WINDOW) return;
    const next = this.#peek(cpu.r[EIP] + room | 0);
    if (next < 0) return;
    for (let b = room; b < WINDOW; b++) this.physical[b] = next + b - room;
    this.available = WINDOW;
  }
  /** Physical address of code at offset `eip`; -1: there is none. */
  #peek(eip) {
    const cpu = this.#cpu;
    const bus = this.#bus;
    const peeked = bus.peeking;
    bus.peeking = true;
    const physical = cpu.fetchPhysical(eip);
    bus.peeking = peeked;
    const found2 = cpu.stop === 0 && this.#memory.index(physical) >= 0 && this.#memory.allows(physical, EXECUTE);
    cpu.stop = 0;
    return found2 ? physical >>> 0 : -1;
  }
  get #code32() {
    return (this.#cpu.r[SEG_ATTR + CS] & ATTR_D) !== 0;
  }
};

// src/smp/guestCalls.ts
var GUEST_CALLS = {
  /** The actor ends. The return address below every entry function leads to a stub that makes this call. */
  exit: 0,
  /** EAX = condition, EDX = id of the check point. Violation `assertion` when EAX is 0. */
  assert: 1,
  /** EAX = condition, EDX = id. The execution is cut, without a verdict, when EAX is 0. */
  assume: 2,
  /** EAX = n >= 1, EDX = id. Returns any of 0 .. n-1: a choice that the explorer branches on. */
  choose: 3,
  /** EAX = vCPU number, EDX = vector. Makes the vector pending there; identical ones coalesce. */
  ipi: 4,
  /** EAX = vCPU number. Makes an NMI pending there. */
  nmi: 5,
  /** EDX = id. The program made progress here (liveness). */
  progress: 6,
  /** EDX = id. Counts that this place was reached; one that never is makes a verdict vacuous. */
  reach: 7,
  /** EAX = address of an object: the calling context owns it alone from here (violation `mutual-exclusion`). */
  enter: 8,
  /** EAX = address of an object: no longer owned. */
  leave: 9,
  /** EAX = address, EDX = size in bytes: freed; any later access is a violation `use-after-free`. */
  free: 10,
  /** EAX = address, EDX = size in bytes: live again. */
  alloc: 11,
  /** Blocks until the vCPU has been kicked; a kick that came before counts. Returns at once, consuming it. */
  block: 12,
  /** EAX = vCPU number: kicks it. */
  kick: 13,
  /** Returns the number of the calling vCPU. */
  vcpu: 14,
  /** EAX = value, EDX = address of a NUL-terminated string: shown in timelines. */
  log: 15,
  /** EAX = patch site, EDX = address of its bytes: from here on nobody may execute anything else there (`stale-code`); EDX = 0 ends it. */
  patched: 16,
  /** EAX = address of a byte: blocks until it is not 0 (an event bit that a hypervisor polls), or an interrupt was taken. */
  poll: 17,
  /** EAX = address, EDX = size in bytes: the old translations of these linear pages are gone everywhere; using one is a violation `stale-translation`. */
  unmapped: 18,
  /** EAX = address, EDX = size in bytes: ends that. */
  mapped: 19,
  /** EAX = address of an object: the caller is about to come for it. */
  arrive: 20,
  /** EAX = address of an object: the caller has a place in its queue. Who arrives from here on enters after it (violation `fifo-order`). */
  queued: 21,
  /** EAX = address of an object, EDX = its size in bytes: as `leave`; once another has entered it, the caller touches it no more (`access-after-release`). */
  release: 22,
  /** Blocks until the vCPU has been kicked, a kick that came before counts, or an interrupt was taken. */
  halt: 23,
  /** EAX = address, EDX = size in bytes: code that is being written; executing it is a violation `under-construction`. */
  building: 24,
  /** EAX = address, EDX = size in bytes: it is complete. */
  built: 25
};
var GUEST_CALL_TAG2 = 22605;
var GUEST_CALL_BYTES = 7;

// src/smp/wakes.ts
var WAKE_KICK = 1;
var WAKE_IPI = 2;
var WAKE_NMI = 3;
var WAKE_SOURCE = 4;
var WAKE_IN_TIME = 128;
function wakeBy(how, from, vector = 0) {
  return vector << 16 | from << 8 | how;
}
function cameTooEarly(what) {
  return what !== 0 && (what & WAKE_IN_TIME) === 0;
}
function describeWake(what, came, taken) {
  if (what === 0) return "nothing was ever sent to wake it";
  const how = what & 127;
  const from = what >>> 8 & 255;
  const vector = what >>> 16;
  const name = how === WAKE_KICK ? `the kick by vCPU ${from}` : how === WAKE_IPI ? `IPI ${vector} from vCPU ${from}` : how === WAKE_NMI ? `the NMI from vCPU ${from}` : `interrupt ${vector}`;
  if (!cameTooEarly(what)) return `it was last woken by ${name} at step ${came}`;
  if (taken >= came) return `its last wake-up, ${name}, came too early: at step ${came}, and was taken at step ${taken}, before it slept`;
  return `its last wake-up, ${name}, came at step ${came} and is still pending: it cannot be taken`;
}

// src/smp/guestServices.ts
var CHOICES_MAX2 = 256;
var LIFETIME_BYTES_MAX = 1 << 20;
var QUIET_CALLS2 = /* @__PURE__ */ new Set([GUEST_CALLS.assert, GUEST_CALLS.assume, GUEST_CALLS.reach, GUEST_CALLS.vcpu, GUEST_CALLS.log]);
var LOCAL_CALLS = /* @__PURE__ */ new Set([...QUIET_CALLS2, GUEST_CALLS.exit, GUEST_CALLS.choose, GUEST_CALLS.progress]);
function callGuest(machine, vcpu, bus, call4, eax, edx) {
  const running = machine.running();
  if (!QUIET_CALLS2.has(call4)) machine.quiet = false;
  if (!LOCAL_CALLS.has(call4)) machine.memo.abandon();
  const event = (pending, ways = 1) => !running || bus.gate(pending, 0, 0, ways);
  switch (call4) {
    case GUEST_CALLS.exit:
      machine.setWord(vcpu, STATUS, ENDED);
      machine.effect = true;
      machine.observer?.({ kind: "end", vcpu, address: 0, sizeBytes: 0, value: 0 });
      return eax;
    case GUEST_CALLS.assert:
      machine.countPoint(edx);
      if (eax === 0) machine.violate("assertion", vcpu, describe2(machine, vcpu, edx));
      return eax;
    case GUEST_CALLS.assume:
      if (eax === 0 && !event(AT_CUT)) return 0;
      machine.countPoint(edx);
      if (eax === 0) machine.cutExecution(vcpu);
      return eax;
    case GUEST_CALLS.choose: {
      machine.countPoint(edx);
      const ways = eax >>> 0;
      if (ways === 0 || ways > CHOICES_MAX2) {
        machine.violate("bad-call", vcpu, `a choice among ${ways}: 1 to ${CHOICES_MAX2} are possible`);
        return 0;
      }
      if (ways > 1 && !bus.gate(AT_CHOOSE, 0, 0, ways)) return 0;
      const value = ways > 1 ? bus.way : 0;
      machine.observer?.({ kind: "choose", vcpu, address: ways, sizeBytes: 0, value });
      return value;
    }
    case GUEST_CALLS.ipi:
    case GUEST_CALLS.nmi:
    case GUEST_CALLS.kick:
      return send(machine, vcpu, bus, call4, eax, edx, event);
    case GUEST_CALLS.progress:
      machine.progressed |= 1 << vcpu;
      machine.countPoint(edx);
      return eax;
    case GUEST_CALLS.reach:
      machine.countPoint(edx);
      return eax;
    case GUEST_CALLS.enter:
    case GUEST_CALLS.leave:
    case GUEST_CALLS.arrive:
    case GUEST_CALLS.queued:
    case GUEST_CALLS.release:
    case GUEST_CALLS.patched:
    case GUEST_CALLS.unmapped:
    case GUEST_CALLS.mapped:
    case GUEST_CALLS.building:
    case GUEST_CALLS.built:
    case GUEST_CALLS.free:
    case GUEST_CALLS.alloc: {
      const spans = call4 === GUEST_CALLS.free || call4 === GUEST_CALLS.alloc || call4 === GUEST_CALLS.building || call4 === GUEST_CALLS.built;
      if (spans) {
        if (edx >>> 0 > LIFETIME_BYTES_MAX || !machine.noteLifetime(vcpu, eax, edx >>> 0)) {
          machine.violate("bad-call", vcpu, `frees, allocates or builds ${edx >>> 0} bytes at ${machine.symbolize(eax)}: not memory, or more than ${LIFETIME_BYTES_MAX} bytes`);
          return 0;
        }
      }
      if (call4 === GUEST_CALLS.release && (edx >>> 0 > LIFETIME_BYTES_MAX || !machine.noteReleased(eax, edx >>> 0))) {
        machine.violate("bad-call", vcpu, `releases ${edx >>> 0} bytes at ${machine.symbolize(eax)}: not memory, or more than ${LIFETIME_BYTES_MAX} bytes`);
        return 0;
      }
      if (!event(AT_MARK)) return 0;
      machine.effect = true;
      machine.footprint.add(FP_RESOURCE_WRITE, RESOURCE_MARKS, 0);
      if (spans || call4 === GUEST_CALLS.release) machine.footprint.add(FP_LIFETIME, eax, edx >>> 0);
      machine.onMark(vcpu, call4, eax, edx);
      machine.observer?.({ kind: "mark", vcpu, address: eax >>> 0, sizeBytes: 0, value: call4 });
      return eax;
    }
    case GUEST_CALLS.block:
    case GUEST_CALLS.halt:
      if (machine.wordOf(vcpu, KICKED) === 0) {
        leaveShadow(machine, vcpu);
        bus.park(AT_BLOCK, 0, call4 === GUEST_CALLS.halt ? BLOCK_UNTIL_INTERRUPT : 0, 1);
        return 0;
      }
      if (!event(AT_BLOCK)) return 0;
      machine.setWord(vcpu, KICKED, 0);
      machine.effect = true;
      machine.noteWakeTaken(vcpu);
      machine.footprint.add(FP_RESOURCE_WRITE, RESOURCE_VCPU + vcpu, 0);
      machine.observer?.({ kind: "block", vcpu, address: 0, sizeBytes: 0, value: 0 });
      return eax;
    case GUEST_CALLS.poll:
      return poll(machine, vcpu, bus, eax);
    case GUEST_CALLS.vcpu:
      return vcpu;
    case GUEST_CALLS.log:
      machine.observer?.({ kind: "mark", vcpu, address: edx >>> 0, sizeBytes: 4, value: eax });
      return eax;
    default:
      machine.violate("bad-call", vcpu, `call ${call4} to the checker: there is none of that number`);
      return 0;
  }
}
function leaveShadow(machine, vcpu) {
  machine.cpus[vcpu].r[SHADOW] &= ~(SHADOW_STI | SHADOW_MOV_SS);
}
function poll(machine, vcpu, bus, address) {
  const { memory } = machine;
  const at = memory.index(address);
  if (at < 0 || !memory.allows(address, READ)) {
    machine.violate("bad-call", vcpu, `polls ${machine.symbolize(address)}, which is not memory`);
    return 0;
  }
  machine.polls = true;
  if (machine.running()) machine.sharing.noteRead(memory.granule(at), memory.granule(at), 1 << vcpu);
  if (machine.wordOf(vcpu, BUFFER_COUNT) > 0 || memory.u8[at] === 0) {
    leaveShadow(machine, vcpu);
    bus.park(AT_POLL, address, 1, 1);
    return 0;
  }
  if (machine.running() && !bus.gate(AT_POLL, address, 1, 1)) return 0;
  machine.footprint.add(FP_MEMORY_READ, address, 1);
  machine.observer?.({ kind: "block", vcpu, address: address >>> 0, sizeBytes: 1, value: memory.u8[at] });
  return memory.u8[at];
}
function send(machine, vcpu, bus, call4, eax, edx, event) {
  const target = eax >>> 0;
  if (target >= machine.cpus.length) {
    machine.violate("bad-call", vcpu, `an interrupt or kick for vCPU ${target}: there are ${machine.cpus.length}`);
    return 0;
  }
  if (machine.model.ipiDrains && machine.wordOf(vcpu, BUFFER_COUNT) > 0) {
    bus.park(AT_SEND, 0, 0, 1);
    return 0;
  }
  if (!event(AT_SEND)) return 0;
  machine.effect = true;
  machine.footprint.add(FP_RESOURCE_WRITE, RESOURCE_VCPU + target, 0);
  const vector = edx & 255;
  machine.noteWake(target, call4 === GUEST_CALLS.kick ? wakeBy(WAKE_KICK, vcpu) : call4 === GUEST_CALLS.nmi ? wakeBy(WAKE_NMI, vcpu) : wakeBy(WAKE_IPI, vcpu, vector));
  if (call4 === GUEST_CALLS.kick) machine.setWord(target, KICKED, 1);
  else {
    machine.sharing.noteInterruptible(target);
    if (call4 === GUEST_CALLS.nmi) machine.setWord(target, NMI_PENDING, 1);
    else machine.setWord(target, IRR + (vector >> 5), machine.wordOf(target, IRR + (vector >> 5)) | 1 << (vector & 31));
  }
  machine.observer?.({ kind: "send", vcpu, address: target, sizeBytes: 0, value: call4 === GUEST_CALLS.ipi ? edx & 255 : call4 === GUEST_CALLS.nmi ? 2 : -1 });
  return eax;
}
function describe2(machine, vcpu, id) {
  const point = machine.image.points.find((other) => other.id >>> 0 === id >>> 0);
  const where = point !== void 0 && point.line > 0 ? `${point.file}:${point.line}` : machine.symbolize(machine.cpus[vcpu].r[EIP]);
  if (point?.kind === "fail") return `${where}: reached ${point.text}`;
  return `${where}: assertion ${point ? `\`${point.text}\`` : (id >>> 0).toString(16)} failed`;
}

// src/smp/memory.ts
var PAGE_BYTES2 = 4096;
var DIRECTORY_PAGES = 1024;
var EMPTY = new Int32Array(DIRECTORY_PAGES);
var PageMap = class {
  /** By directory and page: offset in bytes from the start of memory, plus the access bits (image.ts), plus 8; 0: unmapped. */
  #entries = new Array(DIRECTORY_PAGES).fill(EMPTY);
  sizeBytes;
  constructor(regions) {
    let next = 0;
    for (const region of regions) {
      for (let page = region.start >>> 12; page < (region.start + region.sizeBytes) / PAGE_BYTES2; page++) {
        const directory = page >>> 10;
        if (this.#entries[directory] === EMPTY) this.#entries[directory] = new Int32Array(DIRECTORY_PAGES);
        const table = this.#entries[directory];
        if (table[page & 1023] === 0) {
          table[page & 1023] = next | MAPPED;
          next += PAGE_BYTES2;
        }
        table[page & 1023] |= region.access;
      }
    }
    this.sizeBytes = next;
  }
  /** Offset of physical address `address` from the start of memory; -1: nothing is mapped there. */
  find(address) {
    const entry = this.#entries[address >>> 22][address >>> 12 & 1023];
    return entry === 0 ? -1 : (entry & ~(PAGE_BYTES2 - 1)) + (address & PAGE_BYTES2 - 1);
  }
  /** Access bits of the page of `address`; 0: nothing is mapped there. */
  access(address) {
    return this.#entries[address >>> 22][address >>> 12 & 1023] & ~MAPPED & PAGE_BYTES2 - 1;
  }
};
var MAPPED = 8;
var Memory = class {
  map;
  /** The same bytes as the store's words. */
  u8;
  /** Notes which words a step depends on. */
  memo = null;
  /** Index in `u8` of the first byte of the first page. */
  firstByte;
  #store;
  /** @param base first word of memory in the store */
  constructor(store, base, map, regions) {
    this.#store = store;
    this.firstByte = base * 4;
    this.map = map;
    this.u8 = new Uint8Array(store.w.buffer);
    for (const region of regions)
      for (let at = 0; at < region.bytes.length; at += PAGE_BYTES2)
        this.u8.set(region.bytes.subarray(at, at + PAGE_BYTES2), this.index(region.start + at));
  }
  /** Byte index in the store of a physical address; negative where nothing is mapped. */
  index(physical) {
    const offset = this.map.find(physical);
    return offset < 0 ? -1 : this.firstByte + offset;
  }
  /** Index of the dword granule that holds byte `index`, counted from the start of memory. */
  granule(index) {
    return index - this.firstByte >> 2;
  }
  allows(physical, access) {
    return (this.map.access(physical) & access) !== 0;
  }
  /** The step depends on the `sizeBytes` at byte index `at`. */
  note(at, sizeBytes) {
    if (this.memo !== null && this.memo.recording) this.memo.noteWords(at >> 2, at + sizeBytes - 1 >> 2);
  }
  /** Little-endian load of 1 to 4 bytes at byte index `at`. */
  load(at, sizeBytes) {
    this.note(at, sizeBytes);
    const u8 = this.u8;
    switch (sizeBytes) {
      case 4:
        return u8[at] | u8[at + 1] << 8 | u8[at + 2] << 16 | u8[at + 3] << 24;
      case 1:
        return u8[at];
      case 2:
        return u8[at] | u8[at + 1] << 8;
      default:
        return u8[at] | u8[at + 1] << 8 | u8[at + 2] << 16;
    }
  }
  /** Whether the 1 to 8 bytes at byte index `at` are these already. */
  holds(at, sizeBytes, low, high) {
    this.note(at, sizeBytes);
    for (let b = 0; b < sizeBytes; b++) if (this.u8[at + b] !== ((b < 4 ? low : high) >>> (b & 3) * 8 & 255)) return false;
    return true;
  }
  /** Store of 1 to 8 bytes at byte index `at`, through the store's setter. */
  store(at, sizeBytes, low, high) {
    this.note(at, sizeBytes);
    const store = this.#store;
    for (let done = 0; done < sizeBytes; ) {
      const word = at + done >> 2;
      const shift3 = at + done & 3;
      const count = Math.min(4 - shift3, sizeBytes - done);
      const value = done === 0 ? low : done < 4 ? low >>> done * 8 | high << 32 - done * 8 : high >>> (done - 4) * 8;
      if (count === 4) store.set(word, value);
      else {
        const mask2 = (1 << count * 8) - 1 << shift3 * 8;
        store.set(word, store.w[word] & ~mask2 | value << shift3 * 8 & mask2);
      }
      done += count;
    }
  }
};

// src/cpu/forms.ts
var READS = DIRECT_READ;
var WRITES = DIRECT_WRITE;
var UPDATES = DIRECT_READ | DIRECT_WRITE;
var BlockOp = class {
  op;
  form = GENERIC;
  /** Bytes from the start of the block to it, and to the next one. */
  start;
  end;
  /** Destination: register; for bytes the index in the registers' bytes. */
  a = 0;
  /** Source: register plus value. */
  b = ZERO;
  value = 0;
  base = ZERO;
  index = ZERO;
  scale = 0;
  disp = 0;
  /** What a page must allow: DIRECT_READ, DIRECT_WRITE; 0: no memory operand. */
  need = 0;
  /** Bits of an address that must be 0: size of the access - 1. */
  align = 3;
  /** Bit of the segment. */
  segment = 0;
  /** Number of the ALU operation. */
  kind = 0;
  constructor(op, start, cls) {
    this.op = op;
    this.start = start;
    this.end = start + op.length;
    const row = op.row;
    if (row === null || op.lock || op.handler !== handlerOf(row.mnemonic)) return;
    if (op.rep !== 0) {
      if (STRINGS.has(row.mnemonic)) this.form = REPEAT;
      return;
    }
    const resolve = RESOLVE.get(row.mnemonic);
    if (resolve === void 0 || row.mnemonic.startsWith("cmov") && !cls.features.has("cmov")) return;
    if (cls.family === 3 && SHIFTS2.has(row.mnemonic)) return;
    this.form = resolve(this, op);
    if (this.form === GENERIC) this.need = 0;
  }
  /** The destination is a register. */
  target({ value, size }) {
    this.a = registerIndex(value, size);
  }
  source({ kind, value, size }) {
    if (kind === REG) this.b = registerIndex(value, size);
    else {
      this.b = size === 1 ? ZERO * 4 : ZERO;
      this.value = size === 1 ? value & 255 : value;
    }
  }
  /** There is a memory operand; false: its address is not of 32 bits. */
  memory(op, need, size) {
    if (op.base >= 0) this.base = op.base;
    if (op.index >= 0) this.index = op.index;
    this.scale = op.scale;
    this.disp = op.disp;
    this.need = need;
    this.align = size - 1;
    this.segment = 1 << op.seg;
    return op.addrSize === 4;
  }
  /** It reads or writes the dword at `disp` from the register. */
  stack(register2, disp, need) {
    this.base = register2;
    this.disp = disp;
    this.need = need;
    this.segment = STACK2;
  }
};
function registerIndex(register2, size) {
  if (size !== 1) return register2;
  return register2 < 4 ? register2 * 4 : (register2 - 4) * 4 + 1;
}
function shaped(to, op, size, [r, rm, m], need) {
  if (op.a.size !== size || op.a.kind === SREG || op.b.kind === SREG) return GENERIC;
  if (op.a.kind === MEM) {
    if (op.b.kind !== REG && op.b.kind !== IMM) return GENERIC;
    to.source(op.b);
    return to.memory(op, need, size) ? m : GENERIC;
  }
  if (op.a.kind !== REG) return GENERIC;
  to.target(op.a);
  if (op.b.kind === MEM) return to.memory(op, READS, size) ? rm : GENERIC;
  if (op.b.kind !== REG && op.b.kind !== IMM) return GENERIC;
  to.source(op.b);
  return r;
}
var binary2 = (kind, dwords, bytes) => (to, op) => {
  to.kind = kind;
  const need = kind === ALU.cmp || kind === ALU.test ? READS : UPDATES;
  return shaped(to, op, op.a.size, op.a.size === 4 ? dwords : op.a.size === 1 ? bytes : [GENERIC, GENERIC, GENERIC], need);
};
var BYTES = [ALU_R8, ALU_R8M, ALU_M8];
var CARRIED = [ALU_R, ALU_RM, ALU_M];
var mov2 = (to, op) => {
  switch (op.a.size) {
    case 4:
      return shaped(to, op, 4, [MOV_R, MOV_RM, MOV_M], WRITES);
    case 1:
      return shaped(to, op, 1, [MOV_R8, MOV_R8M, MOV_M8], WRITES);
    default:
      return op.a.kind === MEM ? shaped(to, op, 2, [GENERIC, GENERIC, MOV_M16], WRITES) : GENERIC;
  }
};
var unary2 = (register2, memory) => (to, op) => {
  if (op.a.size !== 4) return GENERIC;
  if (op.a.kind === MEM) return to.memory(op, UPDATES, 4) ? memory : GENERIC;
  to.target(op.a);
  return register2;
};
var shifted = (form2) => (to, op) => {
  if (op.a.size !== 4 || op.a.kind !== REG) return GENERIC;
  to.target(op.a);
  if (op.b.kind === REG) to.b = ECX;
  else to.value = op.b.value;
  return form2;
};
var imul3 = (to, op) => {
  if (op.opSize !== 4 || op.b.kind === 0) return GENERIC;
  if (op.c.kind === 0) return shaped(to, op, 4, [IMUL_R, IMUL_RM, GENERIC], READS);
  if (op.b.kind !== REG) return GENERIC;
  to.target(op.a);
  to.b = op.b.value;
  to.value = op.c.value;
  return IMUL_3;
};
var extended2 = (byte2, word, byteM, wordM) => (to, op) => {
  if (op.a.size !== 4) return GENERIC;
  const wide = op.b.size === 2;
  to.target(op.a);
  if (op.b.kind === MEM) return to.memory(op, READS, op.b.size) ? wide ? wordM : byteM : GENERIC;
  to.source(op.b);
  return wide ? word : byte2;
};
var push2 = (to, op) => {
  if (op.opSize !== 4 || op.a.kind !== REG && op.a.kind !== IMM) return GENERIC;
  to.source(op.a);
  to.stack(ESP, -4, WRITES);
  return PUSH;
};
var pop2 = (to, op) => {
  if (op.opSize !== 4 || op.a.kind !== REG) return GENERIC;
  to.target(op.a);
  to.stack(ESP, 0, READS);
  return POP;
};
var jmp2 = (to, op) => {
  if (op.opSize !== 4) return GENERIC;
  if (op.a.kind === MEM) return to.memory(op, READS, 4) ? JMP_M : GENERIC;
  if (op.a.kind === REG) to.b = op.a.value;
  else to.value = op.a.value;
  return op.a.kind === IMM ? JMP : JMP_R;
};
var call2 = (to, op) => {
  if (op.opSize !== 4 || op.a.kind !== IMM) return GENERIC;
  to.value = op.a.value;
  to.stack(ESP, -4, WRITES);
  return CALL;
};
var SHIFTS2 = /* @__PURE__ */ new Set(["shl", "sal", "shr", "sar"]);
var RESOLVE = new Map([
  ["mov", mov2],
  ["add", binary2(ALU.add, [ADD_R, ADD_RM, ADD_M], BYTES)],
  ["sub", binary2(ALU.sub, [SUB_R, SUB_RM, SUB_M], BYTES)],
  ["and", binary2(ALU.and, [AND_R, AND_RM, AND_M], BYTES)],
  ["or", binary2(ALU.or, [OR_R, OR_RM, OR_M], BYTES)],
  ["xor", binary2(ALU.xor, [XOR_R, XOR_RM, XOR_M], BYTES)],
  ["adc", binary2(ALU.adc, CARRIED, BYTES)],
  ["sbb", binary2(ALU.sbb, CARRIED, BYTES)],
  ["cmp", binary2(ALU.cmp, [CMP_R, CMP_RM, CMP_M], [CMP_R8, CMP_R8M, CMP_M8])],
  ["test", binary2(ALU.test, [TEST_R, GENERIC, TEST_M], [TEST_R8, GENERIC, TEST_M8])],
  ["inc", unary2(INC_R, INC_M)],
  ["dec", unary2(DEC_R, DEC_M)],
  ["neg", unary2(NEG_R, GENERIC)],
  ["not", unary2(NOT_R, GENERIC)],
  ["shl", shifted(SHL_R)],
  ["sal", shifted(SHL_R)],
  ["shr", shifted(SHR_R)],
  ["sar", shifted(SAR_R)],
  ["rol", shifted(ROL_R)],
  ["ror", shifted(ROR_R)],
  ["imul", imul3],
  ["movzx", extended2(MOVZX_8, MOVZX_16, MOVZX_8M, MOVZX_16M)],
  ["movsx", extended2(MOVSX_8, MOVSX_16, MOVSX_8M, MOVSX_16M)],
  ["lea", (to, op) => {
    if (op.a.size !== 4) return GENERIC;
    to.target(op.a);
    const form2 = to.memory(op, READS, 4) ? LEA : GENERIC;
    to.need = 0;
    return form2;
  }],
  ["nop", (_to, op) => op.modrm < 0 ? NOP : GENERIC],
  ["cwd", (to, op) => {
    to.b = EAX;
    return op.opSize === 4 ? CDQ : GENERIC;
  }],
  ...CONDITIONS.flatMap((name, code) => [
    [`set${name}`, (to, op) => {
      if (op.a.kind !== REG) return GENERIC;
      to.target(op.a);
      to.kind = code;
      return SET;
    }],
    [`cmov${name}`, (to, op) => {
      to.kind = code;
      return op.b.kind === REG ? shaped(to, op, 4, [CMOV, GENERIC, GENERIC], READS) : GENERIC;
    }],
    [`j${name}`, (to, op) => {
      to.kind = code;
      to.value = op.a.value;
      return op.opSize === 4 ? JCC : GENERIC;
    }]
  ]),
  ["push", push2],
  ["pop", pop2],
  ["leave", (to, op) => {
    to.stack(EBP, 0, READS);
    return op.opSize === 4 ? LEAVE : GENERIC;
  }],
  ["jmp", jmp2],
  ["call", call2],
  ["ret", (to, op) => {
    to.value = op.a.kind === IMM ? op.a.value : 0;
    to.stack(ESP, 0, READS);
    return op.opSize === 4 ? RET : GENERIC;
  }]
]);
function joinLast(ops) {
  const jump = ops[ops.length - 1];
  const compare = ops[ops.length - 2];
  if (ops.length < 2 || jump.form !== JCC) return;
  switch (compare.form) {
    case CMP_R:
      compare.form = CMP_JCC;
      break;
    case TEST_R:
      compare.form = TEST_JCC;
      break;
    case DEC_R:
      compare.form = DEC_JCC;
      break;
    default:
      return;
  }
  compare.kind = jump.kind;
  compare.disp = jump.value;
  compare.end = jump.end;
  ops.pop();
}
var STRINGS = /* @__PURE__ */ new Set(["movs", "stos", "lods", "cmps", "scas"]);
var IN_BLOCK = /* @__PURE__ */ new Set([
  ...Object.keys(ALU),
  "inc",
  "dec",
  "neg",
  "not",
  "rol",
  "ror",
  "rcl",
  "rcr",
  "shl",
  "shr",
  "sal",
  "sar",
  "shld",
  "shrd",
  "bt",
  "bts",
  "btr",
  "btc",
  "bsf",
  "bsr",
  "mul",
  "imul",
  "div",
  "idiv",
  "movzx",
  "movsx",
  "mov",
  "lea",
  "xchg",
  "bswap",
  "cmpxchg",
  "xadd",
  "cbw",
  "cwd",
  "lahf",
  "sahf",
  "clc",
  "stc",
  "cmc",
  "cld",
  "std",
  "nop",
  "movs",
  "stos",
  "lods",
  "cmps",
  "scas",
  "xlat",
  "daa",
  "das",
  "aaa",
  "aas",
  "aam",
  "aad",
  "salc",
  "push",
  "pop",
  "pusha",
  "popa",
  "enter",
  "leave",
  ...CONDITIONS.flatMap((name) => [`set${name}`, `cmov${name}`])
]);
var LAST_IN_BLOCK = /* @__PURE__ */ new Set(["jmp", "call", "ret", "loop", "loope", "loopne", "jcxz", ...CONDITIONS.map((name) => `j${name}`)]);
function placeInBlock(op) {
  const row = op.row;
  if (row === null || op.lock || op.handler !== handlerOf(row.mnemonic)) return "outside";
  if (op.rep !== 0) return STRINGS.has(row.mnemonic) ? "last" : "outside";
  const far = row.operands[0] === "Ap" || row.operands[0] === "Mp";
  if (far || row.mnemonic === "xchg" && op.a.kind === MEM || row.mnemonic === "nop" && op.modrm >= 0) return "outside";
  if (op.a.kind >= SREG && op.a.kind <= SREG + 2 && row.mnemonic !== "push") return "outside";
  if (row.mnemonic === "mov" && op.b.kind > SREG) return "outside";
  return LAST_IN_BLOCK.has(row.mnemonic) ? "last" : IN_BLOCK.has(row.mnemonic) ? "inside" : "outside";
}

// src/cpu/quietFlags.ts
var ALL = CF | PF | AF | ZF | SF | OF;
var WRITES2 = new Map([
  ...[NOP, MOV_R, MOV_R8, LEA, NOT_R, MOVZX_8, MOVZX_16, MOVSX_8, MOVSX_16, CDQ, JMP, JMP_R].map((form2) => [form2, 0]),
  ...[ADD_R, SUB_R, AND_R, OR_R, XOR_R, CMP_R, TEST_R, CMP_R8, TEST_R8, NEG_R, SHL_R, SHR_R, SAR_R].map((form2) => [form2, ALL]),
  ...[INC_R, DEC_R].map((form2) => [form2, ALL & ~CF]),
  ...[IMUL_R, IMUL_3, ROL_R].map((form2) => [form2, CF | OF])
]);
var SHIFTS3 = [SHL_R, SHR_R, SAR_R, ROL_R];
function quietFlags(ops) {
  let live = ALL;
  for (let k = ops.length - 1; k >= 0; k--) {
    const op = ops[k];
    let writes = op.need === 0 ? WRITES2.get(op.form) : void 0;
    if (SHIFTS3.includes(op.form)) {
      if (op.b !== ZERO) writes = void 0;
      else if ((op.value & 31) === 0) writes = 0;
    }
    if (writes === void 0) live = ALL;
    else {
      if (writes !== 0 && (writes & live) === 0) silence(op);
      live &= ~writes;
    }
  }
}
function silence(op) {
  switch (op.form) {
    case ADD_R:
      return asLea(op, op.a, op.b, 0, op.value);
    case INC_R:
      return asLea(op, op.a, ZERO, 0, 1);
    case DEC_R:
      return asLea(op, op.a, ZERO, 0, -1);
    case SHL_R:
      return asLea(op, ZERO, op.a, op.value & 31, 0);
    case SUB_R:
      if (op.b === ZERO) return asLea(op, op.a, ZERO, 0, -op.value | 0);
      op.form = SUB_Q;
      return;
    case AND_R:
      op.form = AND_Q;
      return;
    case OR_R:
      op.form = OR_Q;
      return;
    case XOR_R:
      op.form = XOR_Q;
      return;
    case CMP_R:
    case TEST_R:
    case CMP_R8:
    case TEST_R8:
      op.form = NOP;
      return;
    case SHR_R:
    case SAR_R:
    case ROL_R:
      op.value &= 31;
      op.form = op.form === SHR_R ? SHR_Q : op.form === SAR_R ? SAR_Q : ROL_Q;
  }
}
function asLea(op, base, index, scale, disp) {
  op.form = LEA;
  op.base = base;
  op.index = index;
  op.scale = scale;
  op.disp = disp;
}

// src/cpu/codeCache.ts
var PAGE_BYTES3 = 4096;
var OPS_MAX = 64;
var Block = class {
  /** Linear address of the first byte, where code runs flat and unpaged (runBlocks.ts). */
  eip;
  /** Page of memory, counted from the cache's first byte; no block crosses a page. */
  page;
  code32;
  /** What stands first, whether it may stand in a block or not. */
  first;
  /** What is executed in a row; empty where `first` goes alone. */
  ops;
  /** Instructions in `ops`. */
  count;
  /** Linear address behind them. */
  end;
  /** The bytes that it was decoded from. */
  bytes;
  /** Version of the page that the bytes were last compared with. */
  version = -1;
  /** The page is written while the block runs: what follows must be looked at again. */
  stale = false;
  /** Blocks that came next before. */
  next;
  other;
  constructor(eip, page, code32, first, ops, count, bytes) {
    this.eip = eip;
    this.page = page;
    this.code32 = code32;
    this.first = first;
    this.ops = ops;
    this.count = count;
    this.end = ops.length === 0 ? eip : eip + ops[ops.length - 1].end | 0;
    this.bytes = bytes;
  }
};
var NO_BLOCK = new Block(0, 0, true, new Op(), [], 0, new Uint8Array(0));
var CodeCache = class {
  /** Version of each page; as floating point they never wrap. */
  versions;
  /** The block that runs. */
  running = NO_BLOCK;
  #memory;
  #first;
  #cls;
  /** By page and offset in it. */
  #blocks;
  /** Pages that have blocks. */
  #codePages = [];
  /** @param memory holds `pages` pages from byte `first` on */
  constructor(memory, first, pages, cls) {
    this.versions = new Float64Array(pages);
    this.#memory = memory;
    this.#first = first;
    this.#cls = cls;
    this.#blocks = Array.from({ length: pages });
  }
  /**
   * The block at byte `at` of memory, counted from the first; null: the instruction there goes on in the next page.
   * @param eip its linear address
   */
  at(at, eip, code32) {
    const page = at >>> 12;
    const known = this.#blocks[page]?.[at & PAGE_BYTES3 - 1];
    if (known !== void 0 && known.code32 === code32 && known.eip === eip) {
      if (known.version === this.versions[page]) return known;
      if (this.#holds(at, known.bytes)) {
        known.version = this.versions[page];
        known.stale = false;
        return known;
      }
    }
    return this.#decode(at, eip, code32);
  }
  /** A page of memory that code was decoded from is about to be written. */
  written(page) {
    this.versions[page]++;
    if (this.running.page === page) this.running.stale = true;
  }
  /** Anything may have been written: every block is compared with memory before it runs again. */
  distrust() {
    for (const page of this.#codePages) this.versions[page]++;
    this.running.stale = true;
  }
  #holds(at, bytes) {
    const memory = this.#memory;
    const from = this.#first + at;
    for (let k = 0; k < bytes.length; k++) if (memory[from + k] !== bytes[k]) return false;
    return true;
  }
  #decode(at, eip, code32) {
    const page = at >>> 12;
    const room = PAGE_BYTES3 - (at & PAGE_BYTES3 - 1);
    const from = this.#first + at;
    const first = decode(this.#memory, from, room, code32);
    if (first.length === 0) return null;
    const ops = [];
    let length = 0;
    for (let op = first; op.length !== 0 && ops.length < OPS_MAX; op = decode(this.#memory, from + length, room - length, code32)) {
      const place = placeInBlock(op);
      if (place === "outside") break;
      ops.push(new BlockOp(op, length, this.#cls));
      length += op.length;
      if (place === "last" || length === room) break;
    }
    quietFlags(ops);
    const count = ops.length;
    joinLast(ops);
    const block = new Block(eip, page, code32, first, ops, count, this.#memory.slice(from, from + Math.max(length, first.length)));
    block.version = this.versions[page];
    block.next = block.other = NO_BLOCK;
    let blocks = this.#blocks[page];
    if (blocks === void 0) {
      blocks = this.#blocks[page] = [];
      this.#codePages.push(page);
    }
    blocks[at & PAGE_BYTES3 - 1] = block;
    return block;
  }
};

// src/smp/privateCode.ts
var NOTHING_DIRECT = { pages: new Int32Array(0), bytes: new Uint8Array(0), halves: new Uint16Array(0), words: new Int32Array(0) };
var NO_SEGMENT = 0;
var PrivateCode = class {
  cache;
  #cpu;
  #bus;
  #memory;
  #sharing;
  #bit;
  /** Fetches are noted: the vCPUs run. */
  #noted = true;
  #trusted = false;
  constructor(vcpu, cpu, bus, memory, sharing) {
    this.#cpu = cpu;
    this.#bus = bus;
    this.#memory = memory;
    this.#sharing = sharing;
    this.#bit = 1 << vcpu;
    this.cache = new CodeCache(memory.u8, memory.firstByte, memory.map.sizeBytes / PAGE_BYTES2, cpu.cls);
  }
  /** Runs blocks from EIP on, at most `budget` instructions; returns how many completed, `cpu.stop` says why not more. */
  run(budget, noted) {
    const cpu = this.#cpu;
    this.#noted = noted;
    if (!this.#trusted) this.cache.distrust();
    this.#trusted = true;
    cpu.stop = 0;
    const block = this.find(cpu.r[EIP]);
    return block === null ? 0 : runBlocks(cpu, block, budget, this, NOTHING_DIRECT, NO_SEGMENT);
  }
  find(eip) {
    const memory = this.#memory;
    const at = memory.index(eip);
    if (at < 0 || !this.#isPrivate(memory.granule(at)) || !memory.allows(eip, EXECUTE)) return null;
    const block = this.cache.at(at - memory.firstByte, eip, true);
    if (block === null) return null;
    const last = memory.granule(at + block.bytes.length - 1);
    for (let g = memory.granule(at); g <= last; g++)
      if (!this.#isPrivate(g)) {
        block.version = -1;
        return null;
      }
    return block;
  }
  /** Memory may have changed, or what is shared: a block that runs ends, and each is looked at again before it runs. */
  distrust() {
    this.#trusted = false;
    this.cache.running.stale = true;
  }
  attempt() {
    this.#bus.beginAttempt();
  }
  #isPrivate(granule) {
    return !this.#noted || (this.#sharing.fetchers[granule] & this.#bit) !== 0 && this.#sharing.shared[granule] === 0;
  }
};

// src/smp/sharing.ts
var WALKER = 1 << 31;
var VCPUS_MAX = 32;
var ROW = 5;
var Sharing = class {
  /** Per dword: 1 = some page walk may read it. */
  walked;
  /** Linear pages (numbers) that matter to the translations of vCPUs: a mask of them. */
  pages = /* @__PURE__ */ new Map();
  /** Page tables that a vCPU walks are written, or left with global pages in them: translations may be stale. */
  tablesChange = false;
  /** Per dword of memory: 1 = shared. */
  shared;
  /** Per dword: bit per vCPU that reads (or fetches), writes, fetches. */
  readers;
  writers;
  fetchers;
  /** Per vCPU: an interrupt may arrive. */
  interruptible;
  /** Some dword of code is shared, so that core serialisation is visible. */
  codeShared = false;
  /** A vCPU's stores to the code that it fetches itself are visible: its fetches may lag behind them. */
  ownCode = false;
  /** A vCPU writes code through another linear address than it fetches it from. */
  aliased = false;
  /** By granule and vCPU: the aliases of the page (Cpu.storeAlias) that code was fetched through; those it was stored through. */
  #fetchedThrough = /* @__PURE__ */ new Map();
  #storedThrough = /* @__PURE__ */ new Map();
  grown = false;
  /** Changes whenever an access may be visible that was not. */
  version = 0;
  /** Changes whenever anything is learnt. */
  noted = 0;
  constructor(granules, vcpus) {
    this.shared = new Uint8Array(granules);
    this.readers = new Int32Array(granules);
    this.writers = new Int32Array(granules);
    this.fetchers = new Int32Array(granules);
    this.interruptible = new Uint8Array(vcpus);
    this.walked = new Uint8Array(granules);
  }
  /** Notes that a page walk may read granules `first`..`last`. */
  noteWalk(first, last) {
    for (let g = first; g <= last; g++) {
      if (this.walked[g] !== 0) continue;
      this.version++;
      this.noted++;
      this.walked[g] = 1;
    }
    return this.noteRead(first, last, WALKER);
  }
  noteTables() {
    if (this.tablesChange) return;
    this.tablesChange = true;
    this.noted++;
    this.#grow();
  }
  /** Notes that `vcpu` accesses linear page `page`; true: that was not known. */
  notePage(vcpu, page) {
    const mask2 = this.pages.get(page) ?? 0;
    if ((mask2 & 1 << vcpu) !== 0) return false;
    this.pages.set(page, mask2 | 1 << vcpu);
    this.#pagesOf.delete(vcpu);
    this.noted++;
    if (this.tablesChange) this.#grow();
    return true;
  }
  /** Linear addresses of the pages that `vcpu` accesses. */
  pagesOf(vcpu) {
    let list = this.#pagesOf.get(vcpu);
    if (list === void 0) {
      list = [...this.pages].filter(([, mask2]) => (mask2 & 1 << vcpu) !== 0).map(([page]) => page << 12);
      this.#pagesOf.set(vcpu, list);
    }
    return list;
  }
  #pagesOf = /* @__PURE__ */ new Map();
  /** Notes an access of vCPU `bit` to granules `first`..`last`; true where it is visible to others. */
  noteRead(first, last, bit2) {
    let visible = this.shared[first] !== 0;
    for (let g = first; g <= last; g++) {
      if (this.shared[g] !== 0) visible = true;
      else if ((this.readers[g] & bit2) === 0) {
        this.readers[g] |= bit2;
        this.noted++;
        if (this.#conflict(g)) visible = true;
      }
    }
    if (visible && last > first) this.#shareAll(first, last);
    return visible;
  }
  noteWrite(first, last, bit2) {
    let visible = this.shared[first] !== 0;
    for (let g = first; g <= last; g++) {
      if ((this.writers[g] & bit2) === 0) {
        this.writers[g] |= bit2;
        this.noted++;
        if (this.shared[g] === 0 && this.#conflict(g)) visible = true;
      }
      if (this.shared[g] !== 0) visible = true;
    }
    if (visible && last > first) this.#shareAll(first, last);
    return visible;
  }
  noteFetch(first, last, bit2) {
    for (let g = first; g <= last; g++) {
      if ((this.fetchers[g] & bit2) !== 0) continue;
      this.fetchers[g] |= bit2;
      this.noted++;
      if (this.shared[g] !== 0) this.#grow();
      this.#noteCode(g);
    }
    return this.noteRead(first, last, bit2);
  }
  noteFetchedThrough(g, vcpu, alias) {
    this.#noteAlias(this.#fetchedThrough, this.#storedThrough, g, vcpu, alias);
  }
  noteStoredThrough(g, vcpu, alias) {
    this.#noteAlias(this.#storedThrough, this.#fetchedThrough, g, vcpu, alias);
  }
  /** Own stores that the fetch does not notice are visible events. */
  #noteAlias(mine, others, g, vcpu, alias) {
    const key = g * VCPUS_MAX + vcpu;
    const known = mine.get(key);
    if (known?.has(alias) === true) return;
    if (known === void 0) mine.set(key, /* @__PURE__ */ new Set([alias]));
    else known.add(alias);
    const other = others.get(key);
    if (other === void 0 || other.size === 1 && other.has(alias)) return;
    if (!this.aliased) {
      this.aliased = true;
      this.noted++;
      this.#grow();
    }
    if (this.shared[g] === 0) this.#share(g);
  }
  noteInterruptible(vcpu) {
    if (this.interruptible[vcpu] !== 0) return;
    this.interruptible[vcpu] = 1;
    this.#grow();
  }
  learnt() {
    const rows = [];
    for (let g = 0; g < this.shared.length; g++)
      if ((this.shared[g] | this.readers[g] | this.writers[g] | this.fetchers[g]) !== 0)
        rows.push(g, this.shared[g] | this.walked[g] << 1, this.readers[g], this.writers[g], this.fetchers[g]);
    const pages = Int32Array.from([...this.pages].flat());
    return { rows: Int32Array.from(rows), pages, tablesChange: this.tablesChange, aliased: this.aliased, interruptible: this.interruptible.slice() };
  }
  /** Adds what another exploration of the same program has learnt. True: accesses are visible that were not. */
  learn({ rows, pages, tablesChange, aliased, interruptible }) {
    const { version } = this;
    for (let at = 0; at + ROW <= rows.length; at += ROW) {
      const g = rows[at];
      if (g < 0 || g >= this.shared.length) throw new RangeError(`granule ${g} of ${this.shared.length}`);
      const news = rows[at + 2] & ~this.readers[g] | rows[at + 3] & ~this.writers[g] | rows[at + 4] & ~this.fetchers[g];
      if (news !== 0) this.noted++;
      if (this.shared[g] !== 0 && (rows[at + 4] & ~this.fetchers[g]) !== 0) this.#grow();
      this.readers[g] |= rows[at + 2];
      this.writers[g] |= rows[at + 3];
      this.fetchers[g] |= rows[at + 4];
      if (this.shared[g] === 0 && ((rows[at + 1] & 1) !== 0 || this.#conflict(g)) && this.shared[g] === 0) this.#share(g);
      this.#noteCode(g);
      if ((rows[at + 1] & 2) !== 0) this.noteWalk(g, g);
    }
    for (let k = 0; k + 1 < pages.length; k += 2)
      for (let v = 0; v < this.interruptible.length; v++) if ((pages[k + 1] & 1 << v) !== 0) this.notePage(v, pages[k]);
    if (tablesChange) this.noteTables();
    if (aliased && !this.aliased) {
      this.aliased = true;
      this.noted++;
    }
    for (let v = 0; v < this.interruptible.length; v++) if (interruptible[v] === 1) this.noteInterruptible(v);
    return this.version !== version;
  }
  /** Makes everything visible: exploration without the reduction, for tests against it. */
  shareEverything() {
    this.shared.fill(1);
    this.fetchers.fill(-1);
    this.codeShared = true;
    this.version++;
  }
  #conflict(g) {
    const writers = this.writers[g];
    const all = this.readers[g] | writers;
    if (writers === 0) return false;
    if ((all & all - 1) === 0 && !(this.ownCode && (writers & this.fetchers[g]) !== 0)) return false;
    this.#share(g);
    return true;
  }
  /** An access reaches across shared and private dwords: a private store must not overtake a buffered one. */
  #shareAll(first, last) {
    for (let g = first; g <= last; g++) if (this.shared[g] === 0) this.#share(g);
  }
  #share(g) {
    this.shared[g] = 1;
    this.#grow();
    this.#noteCode(g);
  }
  #grow() {
    this.grown = true;
    this.version++;
  }
  #noteCode(g) {
    if (this.codeShared || this.shared[g] === 0 || this.fetchers[g] === 0) return;
    this.codeShared = true;
    this.#grow();
  }
};

// src/smp/standstill.ts
function kindOfStandstill(machine) {
  let sleeping = 0;
  let waiting = 0;
  let woken = false;
  for (let v = 0; v < machine.vcpuCount; v++) {
    if (machine.hasEnded(v)) continue;
    waiting++;
    if (!machine.sleeps(v)) continue;
    sleeping++;
    if (cameTooEarly(machine.clock(v, WAKE_WHAT))) woken = true;
  }
  if (sleeping === 0) return "deadlock";
  return woken || waiting === 1 || waiting < machine.vcpuCount ? "lost-wakeup" : "deadlock";
}
function describeWait(machine, vcpu) {
  if (!machine.sleeps(vcpu)) return `vCPU ${vcpu} waits (${machine.pending(vcpu)}) at ${machine.place(vcpu)}`;
  if (machine.clock(vcpu, PENDING2) === AT_POLL)
    return `vCPU ${vcpu} sleeps (XM_POLL) at ${machine.place(vcpu)} for as long as ${machine.symbolize(machine.clock(vcpu, PENDING_ADDRESS))} is 0`;
  const how = machine.clock(vcpu, PENDING2) === AT_HALT ? "HLT" : "XM_BLOCK";
  const wake = describeWake(machine.clock(vcpu, WAKE_WHAT), machine.clock(vcpu, WAKE_CAME), machine.clock(vcpu, WAKE_TAKEN));
  return `vCPU ${vcpu} sleeps (${how}) at ${machine.place(vcpu)}; ${wake}`;
}

// src/smp/symbols.ts
function symbolAt(image, address) {
  let best = null;
  for (const symbol of image.symbols) {
    const offset = (address >>> 0) - (symbol.address >>> 0);
    if (offset < 0 || offset >= Math.max(symbol.sizeBytes, 1)) continue;
    if (best === null || offset < best.offset) best = { symbol, offset };
  }
  return best;
}
function symbolize(image, address) {
  const found2 = symbolAt(image, address);
  if (found2 === null) return `0x${(address >>> 0).toString(16)}`;
  return found2.offset === 0 ? found2.symbol.name : `${found2.symbol.name}+0x${found2.offset.toString(16)}`;
}

// src/smp/stepMemo.ts
var ARENA_WORDS_MAX = 1 << 22;
var LOCALS_MAX = 1 << 14;
var CHAIN_MAX = 64;
var NEXT = 0;
var ARGUMENT = 1;
var INPUTS = 2;
var OUTPUTS = 3;
var FOOTPRINT = 4;
var POINTS = 5;
var FLAGS2 = 6;
var RETIRED = 7;
var HASH0 = 8;
var HASH1 = 9;
var CAPTURE = 10;
var CAPTURED = 11;
var HEADER = 12;
var FLAG_QUIET = 1;
var FLAG_EFFECT = 2;
var FLAG_TOUCHED = 4;
var FLAG_PROGRESSED = 8;
var StepMemo = class {
  /** A step is being watched: what it reads has to be noted. */
  recording = false;
  /** Of the step that was done again: FLAG_... */
  flags = FLAG_QUIET;
  eventBegins = false;
  #eventRegisters;
  #store;
  #layout;
  #sharing;
  #footprint;
  #countPoint;
  #version;
  #arena = new Int32Array(1 << 12);
  #used = 1;
  /** Local state number `first + k`: where its words stand in `#words`, and its newest step in the arena (0: none). */
  #first = 1;
  #wordsAt = new Int32Array(64);
  #steps = new Int32Array(64);
  #count = 0;
  #words = new Int32Array(1 << 12);
  #wordsUsed = 0;
  /** Open-addressed, from the words of a local state to k + 1. */
  #slots = new Int32Array(256);
  /** Steps done again, and executed. */
  hits = 0;
  #misses = 0;
  #off = false;
  // The step that is watched.
  #local = 0;
  #argument = 0;
  #mark = 0;
  #h0 = 0;
  #h1 = 0;
  #icount = 0;
  #inputs = /* @__PURE__ */ new Map();
  #points = [];
  #registers = new Int32Array(REGISTER_WORDS);
  #capture = 0;
  #captured = [];
  /** @param eventRegisters of the machine */
  constructor(store, layout, sharing, footprint, eventRegisters, countPoint) {
    this.#eventRegisters = eventRegisters;
    this.#store = store;
    this.#layout = layout;
    this.#sharing = sharing;
    this.#footprint = footprint;
    this.#countPoint = countPoint;
    this.#version = sharing.version;
  }
  /** Does the step of `vcpu`, whose registers are `registers`, again, if it is known. */
  apply(vcpu, argument, registers) {
    if (this.#version !== this.#sharing.version) this.#forget();
    const w = this.#store.w;
    const quiet = this.#layout.quiet + vcpu * QUIET_WORDS;
    let k = w[quiet + LOCAL] - this.#first;
    if (k < 0) {
      if (this.#off || this.#count >= LOCALS_MAX) return false;
      this.number(vcpu);
      k = w[quiet + LOCAL] - this.#first;
    }
    const arena = this.#arena;
    let previous = 0;
    for (let at = this.#steps[k]; at !== 0; previous = at, at = arena[at + NEXT]) {
      if (arena[at + ARGUMENT] !== argument) continue;
      let row = at + HEADER;
      const inputsEnd = row + arena[at + INPUTS] * 2;
      while (row < inputsEnd && w[arena[row]] === arena[row + 1]) row += 2;
      if (row < inputsEnd) continue;
      if (previous !== 0) {
        arena[previous + NEXT] = arena[at + NEXT];
        arena[at + NEXT] = this.#steps[k];
        this.#steps[k] = at;
      }
      const capture = arena[at + CAPTURE];
      this.eventBegins = capture === 2;
      if (capture === 2) {
        this.#eventRegisters.set(registers);
        for (let left = arena[at + CAPTURED]; left > 0; left--, row += 2) this.#eventRegisters[arena[row]] = arena[row + 1];
      }
      const outputs = arena[at + OUTPUTS];
      this.#store.redo(arena, row, outputs, arena[at + HASH0], arena[at + HASH1]);
      if (arena[at + RETIRED] !== 0) this.#store.set(quiet + ICOUNT, w[quiet + ICOUNT] + arena[at + RETIRED]);
      row += outputs * 3;
      this.#footprint.load(arena, row, arena[at + FOOTPRINT]);
      row += arena[at + FOOTPRINT];
      for (let p = 0; p < arena[at + POINTS]; p++) this.#countPoint(arena[row + p]);
      this.flags = arena[at + FLAGS2];
      this.hits++;
      return true;
    }
    return false;
  }
  /** `vcpu` is about to execute its step: watch it. */
  begin(vcpu, argument) {
    if (this.#off) return;
    this.#misses++;
    if (this.#used > ARENA_WORDS_MAX || this.#count >= LOCALS_MAX) {
      if (this.hits < this.#misses * 4) {
        this.#off = true;
        return;
      }
      this.#forget();
    }
    const quiet = this.#layout.quiet + vcpu * QUIET_WORDS;
    if (this.#store.w[quiet + LOCAL] < this.#first) this.number(vcpu);
    this.#local = this.#store.w[quiet + LOCAL];
    this.#argument = argument;
    this.#mark = this.#store.top;
    this.#h0 = this.#store.h0;
    this.#h1 = this.#store.h1;
    this.#icount = this.#store.w[quiet + ICOUNT];
    this.#inputs.clear();
    this.#points.length = 0;
    this.#capture = 0;
    this.#captured.length = 0;
    const base = this.#base(vcpu);
    for (let r = 0; r < REGISTER_WORDS; r++) this.#registers[r] = this.#store.w[base + r];
    const count = this.#base(vcpu) + BUFFER_COUNT;
    this.noteWords(count, count);
    const entries = this.#base(vcpu) + BUFFER;
    for (let k = 0; k < this.#store.w[count] * BUFFER_ENTRY_WORDS; k++) this.noteWords(entries + k, entries + k);
    this.recording = true;
  }
  /** The step depends on, or does, what is not noted here. */
  abandon() {
    this.recording = false;
  }
  /** Numbers the present local state of `vcpu`. */
  number(vcpu) {
    const { quiet } = this.#layout;
    this.#store.set(quiet + vcpu * QUIET_WORDS + LOCAL, this.#off || this.#count >= LOCALS_MAX ? 0 : this.#numberOf(vcpu));
  }
  /** Words `first`..`last` are about to be read or overwritten. */
  noteWords(first, last) {
    for (let word = first; word <= last; word++) if (!this.#inputs.has(word)) this.#inputs.set(word, this.#store.w[word]);
  }
  /** The event has come, the first of its instruction or not; the machine's `eventRegisters` are those before it. */
  noteEvent(first) {
    if (!this.recording) return;
    this.#capture = first ? 2 : 1;
    this.#captured.length = 0;
    if (!first) return;
    for (let r = 0; r < REGISTER_WORDS; r++)
      if (this.#eventRegisters[r] !== this.#registers[r]) this.#captured.push(r, this.#eventRegisters[r]);
  }
  notePoint(id) {
    if (this.recording) this.#points.push(id);
  }
  /** The step has been executed. @param flags FLAG_... */
  end(vcpu, flags) {
    const store = this.#store;
    const quietWords = this.#layout.quiet + vcpu * QUIET_WORDS;
    this.number(vcpu);
    if (!this.recording) return;
    this.recording = false;
    const olds = /* @__PURE__ */ new Map();
    store.forEachSince(this.#mark, (index, old) => {
      if (!olds.has(index) && index !== quietWords + ICOUNT) olds.set(index, old);
    });
    const outputs = [...olds].filter(([index, old]) => store.w[index] !== old);
    const footprint = this.#footprint.words.subarray(0, this.#footprint.length);
    const length = HEADER + this.#inputs.size * 2 + this.#captured.length + outputs.length * 3 + footprint.length + this.#points.length;
    const k = this.#local - this.#first;
    if (this.#chainLength(k) >= CHAIN_MAX) return;
    this.#arena = withRoom(this.#arena, this.#used, length);
    const arena = this.#arena;
    const at = this.#used;
    this.#used += length;
    arena[at + NEXT] = this.#steps[k];
    arena[at + ARGUMENT] = this.#argument;
    arena[at + INPUTS] = this.#inputs.size;
    arena[at + OUTPUTS] = outputs.length;
    arena[at + FOOTPRINT] = footprint.length;
    arena[at + POINTS] = this.#points.length;
    arena[at + CAPTURE] = this.#capture;
    arena[at + CAPTURED] = this.#captured.length / 2;
    arena[at + FLAGS2] = flags;
    arena[at + RETIRED] = store.w[quietWords + ICOUNT] - this.#icount;
    arena[at + HASH0] = store.h0 ^ this.#h0;
    arena[at + HASH1] = store.h1 ^ this.#h1;
    let row = at + HEADER;
    for (const [index, value] of this.#inputs) {
      arena[row++] = index;
      arena[row++] = value;
    }
    arena.set(this.#captured, row);
    row += this.#captured.length;
    for (const [index, old] of outputs) {
      arena[row++] = index;
      arena[row++] = old;
      arena[row++] = store.w[index];
    }
    arena.set(footprint, row);
    arena.set(this.#points, row + footprint.length);
    this.#steps[k] = at;
  }
  #chainLength(k) {
    let length = 0;
    for (let at = this.#steps[k]; at !== 0; at = this.#arena[at + NEXT]) length++;
    return length;
  }
  #forget() {
    this.#version = this.#sharing.version;
    this.#first += this.#count;
    this.#count = 0;
    this.#used = 1;
    this.#wordsUsed = 0;
    this.#slots.fill(0);
  }
  /** The number of the present local state of `vcpu`: [vCPU, registers, status, instruction in progress, pending event]. */
  #numberOf(vcpu) {
    const w = this.#store.w;
    const base = this.#base(vcpu);
    const answers = w[base + ANSWER_COUNT];
    const length = 1 + REGISTER_WORDS + 1 + (ANSWER_COUNT + 1 + answers - FETCHED_LENGTH) + (PENDING_WAYS + 1);
    this.#words = withRoom(this.#words, this.#wordsUsed, length);
    const words = this.#words;
    const from = this.#wordsUsed;
    let at = from;
    words[at++] = vcpu;
    for (let k = 0; k < REGISTER_WORDS; k++) words[at++] = w[base + k];
    words[at++] = w[base + STATUS];
    for (let k = FETCHED_LENGTH; k <= ANSWER_COUNT + answers; k++) words[at++] = w[base + k];
    const pending = this.#layout.quiet + vcpu * QUIET_WORDS + PENDING2;
    for (let k = 0; k <= PENDING_WAYS; k++) words[at++] = w[pending + k];
    let hash = 0;
    for (let k = from; k < at; k++) hash = Math.imul(hash ^ words[k], 2654435761) ^ hash >>> 15;
    const mask2 = this.#slots.length - 1;
    let slot = hash & mask2;
    for (; this.#slots[slot] !== 0; slot = slot + 1 & mask2) {
      const known = this.#wordsAt[this.#slots[slot] - 1];
      let k = 0;
      while (k < length && words[known + k] === words[from + k]) k++;
      if (k === length) return this.#first + this.#slots[slot] - 1;
    }
    const state = this.#count++;
    if (state === this.#wordsAt.length) {
      this.#wordsAt = withRoom(this.#wordsAt, state, 1);
      this.#steps = withRoom(this.#steps, state, 1);
    }
    this.#wordsAt[state] = from;
    this.#steps[state] = 0;
    this.#wordsUsed = at;
    this.#slots[slot] = state + 1;
    if (this.#count * 2 > this.#slots.length) this.#growSlots();
    return this.#first + state;
  }
  #growSlots() {
    const old = this.#slots;
    this.#slots = new Int32Array(old.length * 4);
    const mask2 = this.#slots.length - 1;
    for (let state = 0; state < this.#count; state++) {
      const from = this.#wordsAt[state];
      const to = state + 1 < this.#count ? this.#wordsAt[state + 1] : this.#wordsUsed;
      let hash = 0;
      for (let k = from; k < to; k++) hash = Math.imul(hash ^ this.#words[k], 2654435761) ^ hash >>> 15;
      let slot = hash & mask2;
      while (this.#slots[slot] !== 0) slot = slot + 1 & mask2;
      this.#slots[slot] = state + 1;
    }
  }
  #base(vcpu) {
    return GLOBAL_WORDS + vcpu * VCPU_WORDS;
  }
};
function withRoom(array, used, count) {
  if (used + count <= array.length) return array;
  const grown3 = new Int32Array(Math.max(array.length * 2, used + count));
  grown3.set(array);
  return grown3;
}

// src/smp/translations.ts
var MODE = 0;
var ROOT = 1;
var PDPTES = 2;
var PAGE_COUNT = 10;
var DIRECTORY_COUNT = 11;
var PAGES = 12;
var PAGE_WORDS = 2;
var DIRECTORY_WORDS = 3;
var MODE_CR4 = CR4_PSE | CR4_PAE | CR4_PGE;
var VIEW_FETCH = 1;
var VIEW_DATA = 2;
var VIEW_BOTH = 3;
var SAME = ~4095 | W | U | NO_FETCH;
var SAME_DIRECTORY = ~4095 | P | W | U | PS;
function translationWords(vcpus, model) {
  return model.tlb === "none" ? 0 : vcpus * vcpuWords(model.tlbEntries);
}
function vcpuWords(entries) {
  return PAGES + entries * (PAGE_WORDS + DIRECTORY_WORDS);
}
var Peek = class {
  high = 0;
  /** An entry was where no memory is. */
  stop = 0;
  read = new Int32Array(2);
  count = 0;
  #memory;
  #sharing;
  constructor(memory, sharing) {
    this.#memory = memory;
    this.#sharing = sharing;
  }
  reset() {
    this.stop = 0;
    this.count = 0;
    return this;
  }
  walk32(physical) {
    return this.#load(physical, 4);
  }
  walk64(physical) {
    return this.#load(physical, 8);
  }
  walkMark() {
    return true;
  }
  #load(physical, sizeBytes) {
    const memory = this.#memory;
    const at = memory.index(physical);
    if (at < 0) {
      this.stop = 1;
      return 0;
    }
    this.read[this.count++] = physical;
    this.#sharing.noteWalk(memory.granule(at), memory.granule(at + sizeBytes - 1));
    this.high = sizeBytes === 8 ? memory.load(at + 4, 4) : 0;
    return memory.load(at, 4);
  }
};
var OPTIONS_MAX = 64;
var Translations = class {
  /** What the last `enumerate` found: CACHED_PAGE or CACHED_DIRECTORY, and the entry. */
  kinds = new Int32Array(OPTIONS_MAX);
  lows = new Int32Array(OPTIONS_MAX);
  highs = new Int32Array(OPTIONS_MAX);
  count = 0;
  /** A vCPU held more stale translations than there is room for: some behaviours are not covered. */
  capped = false;
  #store;
  #base;
  #memory;
  #sharing;
  #model;
  #vcpus;
  #speculates;
  #caches;
  #peek;
  #out = new Walk();
  /** Registers as the walks of a vCPU see them: what its TLB was last told of. */
  #context = new Int32Array(REGISTER_WORDS);
  #replaced = [];
  constructor(store, base, memory, sharing, model, vcpus) {
    this.#store = store;
    this.#base = base;
    this.#memory = memory;
    this.#sharing = sharing;
    this.#model = model;
    this.#vcpus = vcpus;
    this.#speculates = model.tlbSpeculative !== "no";
    this.#caches = model.tlb === "pde";
    this.#peek = new Peek(memory, sharing);
  }
  /** Stale translations, and stale directory entries, that `vcpu` may use. */
  staleOf(vcpu) {
    const at = this.#at(vcpu);
    return { pages: this.#store.w[at + PAGE_COUNT], directories: this.#store.w[at + DIRECTORY_COUNT] };
  }
  /** Every stale translation of a vCPU, for tests and reports: linear page, translation. */
  listPages(vcpu) {
    const { w } = this.#store;
    const at = this.#at(vcpu);
    return Array.from({ length: w[at + PAGE_COUNT] }, (_, k) => {
      const word = w[at + PAGES + k * PAGE_WORDS];
      return { page: word & ~4095, entry: w[at + PAGES + k * PAGE_WORDS + 1], views: word & VIEW_BOTH };
    });
  }
  // --- uses -------------------------------------------------------------------------------------------
  /** `vcpu` accesses `linear`: its translation matters from now on. */
  notePage(vcpu, linear) {
    if (this.#sharing.notePage(vcpu, linear >>> 12) && this.#speculates) this.#obtainable(vcpu, linear & ~4095);
  }
  /**
   * The cached translations and directory entries that `vcpu` may use for an access and that lead elsewhere than a walk
   * does now; their number.
   * @param access W, U, FETCH (cpu/paging.ts); @param r the vCPU's registers, for CR0.WP
   */
  enumerate(vcpu, linear, access, r) {
    this.count = 0;
    const { w } = this.#store;
    const at = this.#at(vcpu);
    const pages = w[at + PAGE_COUNT];
    const directories = w[at + DIRECTORY_COUNT];
    if (pages === 0 && directories === 0) return 0;
    const context = this.#load(vcpu);
    context[CR0] |= r[CR0] & CR0_WP;
    const page = linear & ~4095;
    const now = this.#walk(linear, access);
    const error = this.#out.error;
    const marks = (access & W) !== 0 ? A | D : A;
    const unset = now === 0 ? 0 : marks & ~this.#walk(linear, 0);
    const view = (access & FETCH) !== 0 ? VIEW_FETCH : VIEW_DATA;
    for (let k = 0; k < pages; k++) {
      const word = w[at + PAGES + k * PAGE_WORDS];
      if ((word & ~4095) !== page || (word & view) === 0) continue;
      const entry = w[at + PAGES + k * PAGE_WORDS + 1];
      const refused = denied(context, entry, access);
      if (!refused && (access & W) !== 0 && (entry & D) === 0) continue;
      if (refused ? now === 0 && error === (errorOf(context, access) | P) : now !== 0 && ((now ^ entry) & ~4095) === 0 && (unset & entry) === 0) continue;
      this.#option(CACHED_PAGE, entry, 0);
    }
    const region = linear & this.#regionMask(vcpu);
    for (let k = 0; k < directories; k++) {
      const record = this.#directoryAt(vcpu, k);
      if (w[record] !== region || this.#isPresentDirectory(linear, w[record + 1], w[record + 2])) continue;
      this.#option(CACHED_DIRECTORY, w[record + 1], w[record + 2]);
    }
    return this.count;
  }
  /** `vcpu` uses the cached translation `entry`: then its TLB holds no other one of that page. */
  use(vcpu, linear, access, entry) {
    this.#keepOnly(vcpu, linear & ~4095, access, entry);
  }
  /** A walk gave `walk` for an access of `vcpu`; `spans`: others ran while it was made. */
  fill(vcpu, linear, access, walk3, spans) {
    const page = linear & ~4095;
    this.#keepOnly(vcpu, page, access, walk3.entry | A);
    if (this.#speculates) {
      if (spans && !this.#obtainable(vcpu, page).some((other) => covers(other, walk3.entry))) this.#add(vcpu, page, walk3.entry | A, this.#views(access));
      return;
    }
    this.#add(vcpu, page, walk3.entry | A, this.#views(access));
    if (this.#caches && walk3.pde !== 0) this.#addDirectory(vcpu, linear & this.#regionMask(vcpu), walk3.pde, walk3.pdeHigh);
  }
  // --- writes to the tables ---------------------------------------------------------------------------
  /** Whether some walk may read the bytes at index `at`. */
  watches(at, sizeBytes) {
    const { walked } = this.#sharing;
    for (let g = this.#memory.granule(at); g <= this.#memory.granule(at + sizeBytes - 1); g++) if (walked[g] !== 0) return true;
    return false;
  }
  /** Bytes that `watches` named are about to change. Call `wrote` when they have. */
  beforeWrite(physical, sizeBytes) {
    this.#sharing.noteTables();
    this.#replaced = [];
    if (!this.#speculates) return;
    for (let v = 0; v < this.#vcpus; v++) {
      if (!this.isOn(v)) continue;
      for (const page of this.#pagesOf(v)) {
        const entries = this.#obtainable(v, page);
        const entryBytes = this.#entryBytes();
        const written = (read) => overlaps(read, entryBytes, physical, sizeBytes);
        if (!this.#reads.some(written)) continue;
        const cached = this.#caches && this.#directory !== null && written(this.#reads[0]) && this.#cacheable(this.#directory[0]);
        this.#replaced.push({ vcpu: v, page, entries, directory: cached ? this.#directory : null });
      }
    }
  }
  wrote() {
    for (const { vcpu, page, directory } of this.#replaced) {
      if (directory === null) continue;
      const region = page & this.#regionMask(vcpu);
      this.#addDirectory(vcpu, region, directory[0], directory[1]);
      this.#load(vcpu);
      this.#dropDirectories(vcpu, (at, low, high) => at === region && this.#isPresentDirectory(page, low, high));
    }
    for (const { vcpu, page, entries } of this.#replaced) this.#keepStale(vcpu, page, entries);
    this.#replaced = [];
  }
  // --- invalidations ----------------------------------------------------------------------------------
  isOn(vcpu) {
    return (this.#store.w[this.#at(vcpu) + MODE] & CR0_PG) !== 0;
  }
  /** The walks of `vcpu` start from these registers. */
  startsFrom(vcpu, r) {
    const { w } = this.#store;
    const at = this.#at(vcpu);
    if (w[at + MODE] !== modeOf(r) || w[at + ROOT] !== r[CR3]) return false;
    if ((r[CR4] & CR4_PAE) === 0) return true;
    for (let k = 0; k < 8; k++) if (w[at + PDPTES + k] !== r[PDPTE + k]) return false;
    return true;
  }
  /** INVLPG: the page, in whatever size it is mapped, and every directory entry. */
  invalidatePage(vcpu, linear) {
    if (!this.isOn(vcpu)) return;
    const derived = this.#derived(vcpu, () => true);
    this.#dropDirectories(vcpu, () => true);
    this.#dropPage(vcpu, linear);
    for (const { page, entries } of derived) if (page !== (linear & ~4095)) this.#keepStale(vcpu, page, entries);
  }
  /** A page fault at `linear` drops what would translate that address (SDM vol. 3A 5.10.4.1). */
  pageFault(vcpu, linear) {
    if (!this.isOn(vcpu)) return;
    const region = linear & this.#regionMask(vcpu);
    const derived = this.#derived(vcpu, (at) => at === region);
    this.#dropDirectories(vcpu, (at) => at === region);
    this.#dropPage(vcpu, linear);
    for (const { page, entries } of derived) if (page !== (linear & ~4095)) this.#keepStale(vcpu, page, entries);
  }
  /** MOV CR3 and the like (`globalToo` false: global translations stay), CR0.PG, CR4. `r`: the registers as they are now. */
  invalidate(vcpu, r, globalToo) {
    const wasOn = this.isOn(vcpu);
    const kept = [];
    if (wasOn && !globalToo && (r[CR4] & CR4_PGE) !== 0) {
      if (r[CR3] !== this.#store.w[this.#at(vcpu) + ROOT]) this.#sharing.noteTables();
      if (this.#speculates) for (const page of this.#pagesOf(vcpu)) kept.push({ page, entries: this.#obtainable(vcpu, page).filter((entry) => (entry & G) !== 0) });
    }
    this.#dropDirectories(vcpu, () => true);
    this.#dropPages(vcpu, (_, entry) => globalToo || (entry & G) === 0);
    this.#enter(vcpu, r);
    if (!this.isOn(vcpu)) return;
    for (const page of this.#speculates ? this.#pagesOf(vcpu) : []) this.#keepStale(vcpu, page, kept.find((one) => one.page === page)?.entries ?? []);
  }
  /** Registers changed what walks give (PDPTEs loaded by MOV CR0, EFER.NXE) and nothing is dropped. */
  retarget(vcpu, r) {
    if (this.startsFrom(vcpu, r)) return;
    const before2 = this.isOn(vcpu) && this.#speculates ? this.#pagesOf(vcpu).map((page) => ({ page, entries: this.#obtainable(vcpu, page) })) : [];
    this.#enter(vcpu, r);
    for (const { page, entries } of before2) this.#keepStale(vcpu, page, entries);
  }
  #enter(vcpu, r) {
    const store = this.#store;
    const at = this.#at(vcpu);
    const on = (r[CR0] & CR0_PG) !== 0;
    store.set(at + MODE, on ? modeOf(r) : 0);
    store.set(at + ROOT, on ? r[CR3] : 0);
    for (let k = 0; k < 8; k++) store.set(at + PDPTES + k, on && (r[CR4] & CR4_PAE) !== 0 ? r[PDPTE + k] : 0);
  }
  // --- what walks could give --------------------------------------------------------------------------
  #load(vcpu) {
    const { w } = this.#store;
    const at = this.#at(vcpu);
    const r = this.#context;
    r[CR0] = w[at + MODE] & CR0_PG;
    r[CR4] = w[at + MODE] & MODE_CR4;
    r[MSR_EFER] = w[at + MODE] & EFER_NXE;
    r[CR3] = w[at + ROOT];
    for (let k = 0; k < 8; k++) r[PDPTE + k] = w[at + PDPTES + k];
    return r;
  }
  /** The translation that the tables give for `linear` in the context that is loaded; 0: none. */
  #walk(linear, access) {
    const peek = this.#peek.reset();
    walkTables(this.#context, peek, peek, linear, access, false, this.#out);
    return peek.stop !== 0 ? 0 : this.#out.entry;
  }
  /** Entries in memory that the last `#obtainable` read, the directory's own first, and that directory entry. */
  #reads = [];
  #directory = null;
  /** Every translation that a walk of `vcpu` could put into its TLB for `page` now. */
  #obtainable(vcpu, page) {
    this.#load(vcpu);
    const out = this.#out;
    const entries = [];
    const entry = this.#walk(page, 0);
    this.#reads = [...this.#peek.read.subarray(0, this.#peek.count)];
    this.#directory = out.pde !== 0 ? [out.pde, out.pdeHigh] : null;
    if (entry !== 0 && this.#cacheable(entry)) entries.push(entry);
    const region = page & this.#regionMask(vcpu);
    const { w } = this.#store;
    for (let k = 0; k < w[this.#at(vcpu) + DIRECTORY_COUNT]; k++) {
      const record = this.#directoryAt(vcpu, k);
      if (w[record] === region) this.#through(page, w[record + 1], w[record + 2], entries);
    }
    return entries;
  }
  /** Adds what a walk from a cached directory entry gives. */
  #through(page, low, high, entries) {
    const out = this.#out;
    out.pde = low;
    out.pdeHigh = high;
    const peek = this.#peek.reset();
    walkTables(this.#context, peek, peek, page, 0, true, out);
    if (peek.stop !== 0) return;
    this.#reads.push(...peek.read.subarray(0, peek.count));
    if (out.entry !== 0 && this.#cacheable(out.entry) && !entries.includes(out.entry)) entries.push(out.entry);
  }
  /** What walks from cached directory entries (of the regions that `which` names) could have put into the TLB. */
  #derived(vcpu, which) {
    const { w } = this.#store;
    const derived = [];
    if (!this.#speculates || w[this.#at(vcpu) + DIRECTORY_COUNT] === 0) return derived;
    const mask2 = this.#regionMask(vcpu);
    for (const page of this.#pagesOf(vcpu)) if (which(page & mask2)) derived.push({ page, entries: this.#obtainable(vcpu, page) });
    return derived;
  }
  /** An entry may be cached by speculation: with `accessed`, only if its A bit is set. */
  #cacheable(entry) {
    return this.#model.tlbSpeculative === "any" || (entry & A) !== 0;
  }
  #pagesOf(vcpu) {
    return this.#sharing.pagesOf(vcpu);
  }
  #regionMask(vcpu) {
    return (this.#store.w[this.#at(vcpu) + MODE] & CR4_PAE) !== 0 ? ~2097151 : ~4194303;
  }
  #entryBytes() {
    return (this.#context[CR4] & CR4_PAE) !== 0 ? 8 : 4;
  }
  /** The tables hold this directory entry for `linear` now. */
  #isPresentDirectory(linear, low, high) {
    const out = this.#out;
    this.#walk(linear, 0);
    return out.pde !== 0 && ((out.pde ^ low) & SAME_DIRECTORY) === 0 && out.pdeHigh === high;
  }
  // --- records ----------------------------------------------------------------------------------------
  #at(vcpu) {
    return this.#base + vcpu * vcpuWords(this.#model.tlbEntries);
  }
  #directoryAt(vcpu, k) {
    return this.#at(vcpu) + PAGES + this.#model.tlbEntries * PAGE_WORDS + k * DIRECTORY_WORDS;
  }
  #views(access) {
    return this.#model.tlbSplit !== "split" ? VIEW_BOTH : (access & FETCH) !== 0 ? VIEW_FETCH : VIEW_DATA;
  }
  #option(kind, low, high) {
    if (this.count === OPTIONS_MAX) {
      this.capped = true;
      return;
    }
    this.kinds[this.count] = kind;
    this.lows[this.count] = low;
    this.highs[this.count++] = high;
  }
  /** A TLB holds one translation of a page: using one drops the others. */
  #keepOnly(vcpu, page, access, entry) {
    const { w } = this.#store;
    const at = this.#at(vcpu);
    if (w[at + PAGE_COUNT] === 0 || this.#model.tlbSplit === "each") return;
    const views = this.#views(access);
    for (let k = w[at + PAGE_COUNT] - 1; k >= 0; k--) {
      const record = at + PAGES + k * PAGE_WORDS;
      if ((w[record] & ~4095) !== page || w[record + 1] === entry) continue;
      this.#store.set(record, w[record] & ~views);
      if ((w[record] & VIEW_BOTH) === 0) this.#removePage(vcpu, k);
    }
  }
  /** Of `entries`, which walks could give before, keeps what they cannot give now; drops stale ones that they can. */
  #keepStale(vcpu, page, entries) {
    if (!this.#speculates) return;
    const now = this.#obtainable(vcpu, page);
    this.#dropPages(vcpu, (at, entry) => at === page && now.some((other) => covers(other, entry)));
    for (const entry of entries) if (!now.some((other) => covers(other, entry))) this.#add(vcpu, page, entry, VIEW_BOTH);
  }
  #add(vcpu, page, entry, views) {
    const store = this.#store;
    const { w } = store;
    const at = this.#at(vcpu);
    for (let k = w[at + PAGE_COUNT] - 1; k >= 0; k--) {
      const record = at + PAGES + k * PAGE_WORDS;
      if ((w[record] & ~4095) !== page) continue;
      const theirs = w[record] & VIEW_BOTH;
      if (w[record + 1] === entry) {
        views |= theirs;
        this.#removePage(vcpu, k);
      } else if ((views & ~theirs) === 0 && covers(w[record + 1], entry)) return;
      else if ((theirs & ~views) === 0 && covers(entry, w[record + 1])) this.#removePage(vcpu, k);
    }
    const count = w[at + PAGE_COUNT];
    if (count === this.#model.tlbEntries) {
      this.capped = true;
      return;
    }
    let place = 0;
    while (place < count && before(w[at + PAGES + place * PAGE_WORDS] & ~4095, w[at + PAGES + place * PAGE_WORDS + 1], page, entry)) place++;
    for (let k = count * PAGE_WORDS - 1; k >= place * PAGE_WORDS; k--) store.set(at + PAGES + k + PAGE_WORDS, w[at + PAGES + k]);
    store.set(at + PAGES + place * PAGE_WORDS, page | views);
    store.set(at + PAGES + place * PAGE_WORDS + 1, entry);
    store.set(at + PAGE_COUNT, count + 1);
  }
  #removePage(vcpu, k) {
    const at = this.#at(vcpu);
    const count = this.#store.w[at + PAGE_COUNT];
    this.#remove(at + PAGES + k * PAGE_WORDS, at + PAGES + count * PAGE_WORDS, PAGE_WORDS);
    this.#store.set(at + PAGE_COUNT, count - 1);
  }
  /** Closes the gap of the record at `record` in the list that ends at `end`. */
  #remove(record, end2, words) {
    const store = this.#store;
    for (let at = record; at < end2 - words; at++) store.set(at, store.w[at + words]);
    for (let at = end2 - words; at < end2; at++) store.set(at, 0);
  }
  #dropPages(vcpu, which) {
    const { w } = this.#store;
    const at = this.#at(vcpu);
    for (let k = w[at + PAGE_COUNT] - 1; k >= 0; k--) {
      const record = at + PAGES + k * PAGE_WORDS;
      if (which(w[record] & ~4095, w[record + 1])) this.#removePage(vcpu, k);
    }
  }
  /** Drops the translations of the page of `linear`; of a large page, all of them. */
  #dropPage(vcpu, linear) {
    const mask2 = this.#regionMask(vcpu);
    this.#dropPages(vcpu, (page, entry) => page === (linear & ~4095) || (entry & PS) !== 0 && (page & mask2) === (linear & mask2));
  }
  #addDirectory(vcpu, region, low, high) {
    const store = this.#store;
    const { w } = store;
    const at = this.#at(vcpu);
    const count = w[at + DIRECTORY_COUNT];
    const entry = low & SAME_DIRECTORY | A;
    let place = 0;
    for (; place < count; place++) {
      const record2 = this.#directoryAt(vcpu, place);
      if (w[record2] === region && w[record2 + 1] === entry && w[record2 + 2] === high) return;
      if (!before(w[record2], w[record2 + 1], region, entry)) break;
    }
    if (count === this.#model.tlbEntries) {
      this.capped = true;
      return;
    }
    for (let k = count; k > place; k--)
      for (let j = 0; j < DIRECTORY_WORDS; j++) store.set(this.#directoryAt(vcpu, k) + j, w[this.#directoryAt(vcpu, k - 1) + j]);
    const record = this.#directoryAt(vcpu, place);
    store.set(record, region);
    store.set(record + 1, entry);
    store.set(record + 2, high);
    store.set(at + DIRECTORY_COUNT, count + 1);
  }
  #dropDirectories(vcpu, which) {
    const { w } = this.#store;
    const at = this.#at(vcpu);
    for (let k = w[at + DIRECTORY_COUNT] - 1; k >= 0; k--) {
      const record = this.#directoryAt(vcpu, k);
      if (!which(w[record], w[record + 1], w[record + 2])) continue;
      const count = w[at + DIRECTORY_COUNT];
      this.#remove(record, this.#directoryAt(vcpu, count), DIRECTORY_WORDS);
      this.#store.set(at + DIRECTORY_COUNT, count - 1);
    }
  }
};
function modeOf(r) {
  return r[CR0] & CR0_PG | r[CR4] & MODE_CR4 | r[MSR_EFER] & EFER_NXE;
}
function covers(a, b) {
  return ((a ^ b) & SAME) === 0 && (b & ~a & (A | D | G)) === 0 && (a & ~b & PS) === 0;
}
function before(page, entry, otherPage, otherEntry) {
  return page === otherPage ? entry >>> 0 < otherEntry >>> 0 : page >>> 0 < otherPage >>> 0;
}
function overlaps(a, aBytes, b, bBytes) {
  return a >>> 0 < (b >>> 0) + bBytes && b >>> 0 < (a >>> 0) + aBytes;
}

// src/smp/storeBuffer.ts
var SIZE_MASK = 255;
var ENDS_GROUP = 256;
var ALIAS_MASK = ~4095;
var StoreBuffer = class {
  #store;
  #count;
  #entries;
  /** @param vcpu first word of the vCPU */
  constructor(store, vcpu) {
    this.#store = store;
    this.#count = vcpu + BUFFER_COUNT;
    this.#entries = vcpu + BUFFER;
  }
  get count() {
    return this.#store.w[this.#count];
  }
  address(k) {
    return this.#store.w[this.#entries + k * BUFFER_ENTRY_WORDS];
  }
  size(k) {
    return this.#store.w[this.#entries + k * BUFFER_ENTRY_WORDS + 1] & SIZE_MASK;
  }
  alias(k) {
    return this.#store.w[this.#entries + k * BUFFER_ENTRY_WORDS + 1] & ALIAS_MASK;
  }
  low(k) {
    return this.#store.w[this.#entries + k * BUFFER_ENTRY_WORDS + 2];
  }
  high(k) {
    return this.#store.w[this.#entries + k * BUFFER_ENTRY_WORDS + 3];
  }
  /** Appends an entry; the caller has made sure that there is room. Bytes beyond the size are cleared. */
  push(physical, sizeBytes, low, high, alias) {
    const at = this.#entries + this.count * BUFFER_ENTRY_WORDS;
    this.#store.set(at, physical);
    this.#store.set(at + 1, sizeBytes | alias);
    this.#store.set(at + 2, sizeBytes >= 4 ? low : low & (1 << sizeBytes * 8) - 1);
    this.#store.set(at + 3, sizeBytes >= 8 ? high : sizeBytes <= 4 ? 0 : high & (1 << (sizeBytes - 4) * 8) - 1);
    this.#store.set(this.#count, this.count + 1);
  }
  /** Later stores drain after all that are buffered now. */
  keepOrder() {
    if (this.count > 0) this.#endGroup(this.count - 1);
  }
  /** Entry `k` may drain before those that are older. */
  mayOvertake(k) {
    for (let j = 0; j < k; j++) {
      const distance = this.address(k) - this.address(j) | 0;
      if (this.#endsGroup(j) || distance < this.size(j) && distance > -this.size(k)) return false;
    }
    return true;
  }
  /** Drops entry `k`. */
  remove(k) {
    const store = this.#store;
    const last = this.#entries + (this.count - 1) * BUFFER_ENTRY_WORDS;
    if (k > 0 && this.#endsGroup(k)) this.#endGroup(k - 1);
    for (let at = this.#entries + k * BUFFER_ENTRY_WORDS; at < last; at++) store.set(at, store.w[at + BUFFER_ENTRY_WORDS]);
    for (let at = last; at < last + BUFFER_ENTRY_WORDS; at++) store.set(at, 0);
    store.set(this.#count, this.count - 1);
  }
  #endsGroup(k) {
    return (this.#store.w[this.#entries + k * BUFFER_ENTRY_WORDS + 1] & ENDS_GROUP) !== 0;
  }
  #endGroup(k) {
    const at = this.#entries + k * BUFFER_ENTRY_WORDS + 1;
    this.#store.set(at, this.#store.w[at] | ENDS_GROUP);
  }
  /** The newest buffered value of the byte at `physical`; -1 where none is buffered. */
  byte(physical) {
    for (let k = this.count - 1; k >= 0; k--) {
      const offset = physical - this.address(k) | 0;
      if (offset < 0 || offset >= this.size(k)) continue;
      return offset < 4 ? this.low(k) >>> offset * 8 & 255 : this.high(k) >>> (offset - 4) * 8 & 255;
    }
    return -1;
  }
  /** The newest entry that holds the byte at `physical`; -1: none. */
  sourceOf(physical) {
    for (let k = this.count - 1; k >= 0; k--) {
      const offset = physical - this.address(k) | 0;
      if (offset >= 0 && offset < this.size(k)) return k;
    }
    return -1;
  }
  /** Whether any buffered store touches `physical .. physical + sizeBytes`. */
  overlaps(physical, sizeBytes) {
    for (let k = 0; k < this.count; k++) {
      const distance = physical - this.address(k) | 0;
      if (distance < this.size(k) && distance > -sizeBytes) return true;
    }
    return false;
  }
  /** Whether any buffered store through `alias` touches the byte at `physical`. */
  holdsThrough(physical, alias) {
    for (let k = 0; k < this.count; k++) {
      const offset = physical - this.address(k) | 0;
      if (offset >= 0 && offset < this.size(k) && this.alias(k) === alias) return true;
    }
    return false;
  }
  /** `memory` (1 to 4 bytes at `physical`) with the buffered bytes laid over it. */
  forward(physical, sizeBytes, memory) {
    if (!this.overlaps(physical, sizeBytes)) return memory;
    let value = memory;
    for (let b = 0; b < sizeBytes; b++) {
      const byte2 = this.byte(physical + b);
      if (byte2 >= 0) value = value & ~(255 << b * 8) | byte2 << b * 8;
    }
    return value;
  }
  /** Whether the newest entry that touches the access covers it whole (forwarding needs no merge), or none does. */
  coversOrMisses(physical, sizeBytes) {
    for (let k = this.count - 1; k >= 0; k--) {
      const offset = physical - this.address(k) | 0;
      if (offset >= this.size(k) || offset <= -sizeBytes) continue;
      return offset >= 0 && offset + sizeBytes <= this.size(k);
    }
    return true;
  }
};

// src/smp/vcpuBus.ts
var FETCH_PENDINGS = /* @__PURE__ */ new Set([AT_FETCH, AT_BOUNDARY, AT_LOCAL]);
var VcpuBus = class {
  cpu;
  locked = false;
  high = 0;
  low = 0;
  buffer;
  #machine;
  #vcpu;
  #bit;
  #base;
  #answers = new Int32Array(ANSWERS_MAX);
  /** The region of memory that the vCPU's stack is in when it starts. */
  #stackFrom;
  #stackTo;
  #answered = 0;
  #cursor = 0;
  /** The step's one visible event has not been made yet. */
  #granted = false;
  #argument = 0;
  #startedAt = 0;
  /** The locked accesses of this attempt belong to an event that was granted. */
  #lockOpen = false;
  /** Answers of this attempt that can be asked for again: translations, as long as no event was needed for them. */
  #again = 0;
  /** This attempt made an event, or changed memory. */
  #acted = false;
  /** Only looking: nothing is recorded, changed or waited for. */
  #peeking = false;
  /** Such a look met something that takes an event. */
  #unready = false;
  /** The walk at hand began in an earlier step: its entries may be of different ages. */
  #walkSpans = false;
  constructor(machine, vcpu, base) {
    this.#machine = machine;
    this.#vcpu = vcpu;
    this.#bit = 1 << vcpu;
    this.#base = base;
    this.buffer = new StoreBuffer(machine.store, base);
    const top = machine.image.vcpus[vcpu].registers[ESP] - 1 >>> 0;
    const stack = machine.image.regions.find(({ start, sizeBytes }) => top >= start && top < start + sizeBytes);
    this.#stackFrom = stack === void 0 ? 0 : stack.start;
    this.#stackTo = stack === void 0 ? 0 : stack.start + stack.sizeBytes;
  }
  /** A step begins: one event, of `ways` alternatives the one with number `argument`, if it is the event that was pending (`startedAt`). */
  grant(granted, startedAt, argument) {
    this.#granted = granted;
    this.#startedAt = startedAt;
    this.#argument = argument;
  }
  beginAttempt() {
    const w = this.#machine.store.w;
    this.#answered = w[this.#base + ANSWER_COUNT];
    for (let k = 0; k < this.#answered; k++) this.#answers[k] = w[this.#base + ANSWERS + k];
    this.#cursor = 0;
    this.#lockOpen = false;
    this.locked = false;
    this.cpu.compareFailed = false;
    this.cpu.stop = 0;
    this.#again = 0;
    this.#acted = false;
  }
  /** The attempt parked: what was answered is kept in the state. */
  keepAnswers() {
    if (!this.#acted && this.#untouched()) return;
    const store = this.#machine.store;
    store.set(this.#base + ANSWER_COUNT, this.#answered);
    for (let k = 0; k < this.#answered; k++) store.set(this.#base + ANSWERS + k, this.#answers[k]);
  }
  /** The instruction has made no access so far, as this attempt and earlier ones know. */
  #untouched() {
    return this.#again === this.#answered && this.#machine.store.w[this.#base + ANSWER_COUNT] === 0;
  }
  /** The instruction completed, or faulted: the record is cleared. */
  clearAnswers() {
    const store = this.#machine.store;
    const count = store.w[this.#base + ANSWER_COUNT];
    if (count === 0) return;
    for (let k = 0; k < count; k++) store.set(this.#base + ANSWERS + k, 0);
    store.set(this.#base + ANSWER_COUNT, 0);
  }
  /** The bytes of the instruction are kept in the state from here on: how their address was found no longer matters. */
  dropAnswers() {
    this.clearAnswers();
    this.#answered = this.#cursor = this.#again = 0;
  }
  /** Between the fetch of an instruction and its execution: whether no earlier attempt came this far. */
  seesFirst() {
    if (this.#cursor === 0) return this.#answered === 0;
    if (this.#replayed()) return false;
    this.#recordAgain(0);
    return true;
  }
  /** Until `endPeek`, accesses only look: an instruction's recorded answers first, then memory as it is. */
  beginPeek() {
    this.beginAttempt();
    this.#peeking = true;
    this.#unready = false;
  }
  /** False: what was looked at takes an event. */
  endPeek() {
    this.#peeking = false;
    this.cpu.stop = 0;
    return !this.#unready;
  }
  get peeking() {
    return this.#peeking;
  }
  set peeking(on) {
    this.#peeking = on;
  }
  read8(physical) {
    return this.#read(physical, 1);
  }
  read16(physical) {
    return this.#read(physical, 2);
  }
  read32(physical) {
    return this.#read(physical, 4);
  }
  read64(physical) {
    return this.#read(physical, 8);
  }
  write8(physical, value) {
    this.#write(physical, 1, value & 255, 0);
  }
  write16(physical, value) {
    this.#write(physical, 2, value & 65535, 0);
  }
  write32(physical, value) {
    this.#write(physical, 4, value, 0);
  }
  write64(physical, low, high) {
    this.#write(physical, 8, low, high);
  }
  walk32(physical) {
    return this.#walk(physical, 4);
  }
  walk64(physical) {
    return this.#walk(physical, 8);
  }
  walkMark(physical, bits, expected) {
    if (this.cpu.stop !== 0) return false;
    if (this.#cursor < this.#answered) return this.#answers[this.#cursor++] === 1;
    if (this.#peeking) {
      this.#unready = true;
      return true;
    }
    if (!this.#openWalkUpdate(physical)) return false;
    const unchanged = this.#machine.memory.load(this.#machine.memory.index(physical), 4) === expected;
    if (unchanged) this.#orMemory(physical, bits);
    else {
      const { footprint, memory } = this.#machine;
      footprint.add(FP_MEMORY_READ, physical, 4);
      this.#observe("walk", physical, 4, memory.load(memory.index(physical), 4));
    }
    this.record(unchanged ? 1 : 0);
    return unchanged;
  }
  walkOr(physical, bits) {
    if (this.cpu.stop !== 0 || this.#replayed() || !this.#openWalkUpdate(physical)) return;
    this.#orMemory(physical, bits);
    this.record(0);
  }
  /** A locked update by the processor itself, of the dword at `physical`; false: not now. */
  #openWalkUpdate(physical) {
    const at = this.#check(physical, WRITE, "page-table entry");
    if (at < 0) return false;
    const machine = this.#machine;
    const g = machine.memory.granule(at);
    const seen = machine.sharing.noteRead(g, g, WALKER);
    const visible = (machine.sharing.noteWrite(g, g, this.#bit) || seen) && this.#running;
    return !visible || this.gate(AT_LOAD, physical, 4, 1);
  }
  #orMemory(physical, bits) {
    const machine = this.#machine;
    const value = machine.memory.load(machine.memory.index(physical), 4) | bits;
    machine.quiet = false;
    machine.effect = true;
    this.#acted = true;
    machine.footprint.add(FP_MEMORY_READ, physical, 4);
    machine.footprint.add(FP_WRITE, physical, 4);
    machine.writeMemory(this.#vcpu, physical, 4, value, 0, 0, true);
    if (this.#running && machine.sharing.shared[machine.memory.granule(machine.memory.index(physical))] !== 0) this.#observe("locked-store", physical, 4, value);
  }
  orderStores() {
    if (!this.#machine.model.storesOvertake || this.buffer.count === 0) return;
    this.#machine.quiet = false;
    this.buffer.keepOrder();
  }
  fence() {
    if (this.cpu.stop !== 0 || this.#replayed()) return;
    if (this.buffer.count > 0) return this.park(AT_FENCE, 0, 0, 1);
    this.#machine.footprint.add(FP_FENCE, 0, 0);
    this.record(0);
  }
  serialize() {
    if (this.cpu.stop !== 0 || this.#replayed()) return;
    const machine = this.#machine;
    if (this.buffer.count > 0) return this.park(AT_SERIALIZE, 0, 0, 1);
    machine.footprint.add(FP_FENCE, 0, 0);
    if (machine.fetchIsVisible && this.#running) {
      if (!this.gate(AT_SERIALIZE, 0, 0, 1)) return;
      machine.fetchView.serialize(this.#vcpu);
      machine.quiet = false;
      machine.footprint.add(FP_RESOURCE_READ, RESOURCE_HISTORY, 0);
      this.#observe("serialize", 0, 0, 0);
    }
    this.record(0);
  }
  /** A jump on a CPU with a prefetch queue: own stores to code are executed after it, so those that are buffered drain first. */
  branch() {
    const machine = this.#machine;
    if (!machine.fetchIsVisible || !this.#running) return;
    if (this.#storesToOwnCode()) this.fence();
    if (this.cpu.stop === 0) machine.onBranch(this.#vcpu);
  }
  #storesToOwnCode() {
    const { memory, sharing } = this.#machine;
    for (let k = 0; k < this.buffer.count; k++) {
      const at = memory.index(this.buffer.address(k));
      const last = memory.granule(at + this.buffer.size(k) - 1);
      for (let g = memory.granule(at); g <= last; g++) if ((sharing.fetchers[g] & this.#bit) !== 0) return true;
    }
    return false;
  }
  lookup(linear, access) {
    const machine = this.#machine;
    const { translations } = machine;
    if (this.cpu.stop !== 0 || translations === null || !this.#running) return NOT_CACHED;
    this.#walkSpans = this.#cursor < this.#answered;
    if (this.#walkSpans) {
      const kind = this.#answers[this.#cursor++];
      if (kind === NOT_CACHED) return kind;
      this.low = this.#answers[this.#cursor++];
      this.high = this.#answers[this.#cursor++];
      return kind;
    }
    const { r } = this.cpu;
    const ways = translations.startsFrom(this.#vcpu, r) ? translations.enumerate(this.#vcpu, linear, access, r) : 0;
    if (this.#peeking) {
      if (ways > 0) this.#unready = true;
      return NOT_CACHED;
    }
    translations.notePage(this.#vcpu, linear);
    if (ways > 0) {
      if (!this.gate(AT_TRANSLATE, linear, access, ways + 1)) return NOT_CACHED;
      machine.quiet = false;
      if (this.way > 0) return this.#useCached(linear, access, this.way - 1);
    }
    this.#recordAgain(NOT_CACHED);
    return NOT_CACHED;
  }
  #useCached(linear, access, option) {
    const translations = this.#machine.translations;
    const kind = translations.kinds[option];
    this.low = translations.lows[option];
    this.high = translations.highs[option];
    if (kind === CACHED_PAGE) translations.use(this.#vcpu, linear, access, this.low);
    const { observer } = this.#machine;
    if (observer !== null)
      observer({ kind: "translation", vcpu: this.#vcpu, address: linear >>> 0, sizeBytes: 0, value: this.low, stale: kind === CACHED_DIRECTORY });
    this.#machine.onTranslation(this.#vcpu, linear, this.low, access);
    this.record(kind);
    this.record(this.low);
    this.record(this.high);
    return kind;
  }
  fill(linear, access, walk3) {
    const { translations } = this.#machine;
    if (this.cpu.stop !== 0 || translations === null || !this.#running || this.#replayed() || this.#peeking) return;
    translations.fill(this.#vcpu, linear, access, walk3, this.#walkSpans);
    this.#recordAgain(0);
  }
  gateInvalidation() {
    if (this.cpu.stop !== 0 || this.#replayed()) return;
    const machine = this.#machine;
    if (machine.translationIsVisible && this.#running) {
      if (!this.gate(AT_SERIALIZE, 0, 0, 1)) return;
      machine.quiet = false;
    }
    this.record(0);
  }
  invalidatePage(linear) {
    const { translations } = this.#machine;
    if (translations === null || !this.#running) return;
    this.#machine.memo.abandon();
    translations.invalidatePage(this.#vcpu, linear);
    this.#observe("invalidate", linear >>> 0, 4096, 0);
  }
  invalidateTlb(globalToo) {
    const { translations } = this.#machine;
    if (translations === null || !this.#running) return;
    this.#machine.memo.abandon();
    translations.invalidate(this.#vcpu, this.cpu.r, globalToo);
    this.#observe("invalidate", 0, 0, globalToo ? 1 : 0);
  }
  retarget() {
    if (!this.#running) return;
    this.#machine.memo.abandon();
    this.#machine.translations?.retarget(this.#vcpu, this.cpu.r);
  }
  // No device answers on the ports: reads float high, writes are lost.
  in(_port, sizeBytes) {
    return sizeBytes === 4 ? -1 : (1 << sizeBytes * 8) - 1;
  }
  out() {
  }
  tsc() {
    this.#machine.quiet = false;
    this.#machine.weaken("RDTSC was read: only one value of it is explored");
    this.high = 0;
    return 0;
  }
  readMsr() {
    return false;
  }
  writeMsr() {
    return false;
  }
  hypercall() {
    return false;
  }
  guestCall(number2, eax, edx, _ecx) {
    if (this.cpu.stop !== 0) return 0;
    if (this.#cursor < this.#answered) return this.#answers[this.#cursor++];
    const result = this.#machine.guestCall(this.#vcpu, this, number2, eax, edx);
    if (this.cpu.stop === 0) this.record(result);
    return result;
  }
  /** Stops the attempt: the vCPU's next event is `pending`, which can go `ways` ways. */
  park(pending, physical, sizeBytes, ways) {
    this.cpu.stop = STOP_PARK;
    this.#machine.setPending(this.#vcpu, pending, physical, sizeBytes, ways);
  }
  /** Asks for the step's event. False: parked. The alternative chosen is in `way`. */
  gate(pending, physical, sizeBytes, ways) {
    const fresh = ways === 1 || this.#startedAt === pending;
    if (!this.#granted || !fresh || this.#machine.model.sc && this.buffer.count > 0) {
      this.park(pending, physical, sizeBytes, ways);
      return false;
    }
    this.#granted = false;
    this.#machine.captureEvent(this.#vcpu, this.#untouched());
    this.#acted = true;
    this.way = ways === 1 ? 0 : this.#argument;
    return true;
  }
  way = 0;
  record(value) {
    if (this.#answered === ANSWERS_MAX)
      return this.#machine.violate("limit", this.#vcpu, `an instruction made more than ${ANSWERS_MAX} accesses`);
    this.#answers[this.#answered++] = value;
    this.#cursor = this.#answered;
  }
  /** Records an answer that, alone with its like, need not be kept. */
  #recordAgain(value) {
    this.#again++;
    this.record(value);
  }
  /** For a fetch: whether it may be this step's event, and which variant. -1: no. */
  takeFetch(first) {
    if (!this.#granted || !first || this.#acted || this.#argument > 0 && !FETCH_PENDINGS.has(this.#startedAt)) return -1;
    this.#granted = false;
    this.#machine.captureEvent(this.#vcpu, true);
    return this.#argument;
  }
  get #running() {
    return this.#machine.store.w[PHASE] === PHASE_RUN;
  }
  #replayed() {
    if (this.#cursor >= this.#answered) return false;
    this.#cursor++;
    return true;
  }
  /** Byte index of an access, or -1 with a violation. */
  #check(physical, access, what) {
    const at = this.#machine.memory.index(physical);
    if (at >= 0 && this.#machine.memory.allows(physical, access)) return at;
    const verb = access === WRITE ? "writes" : "reads";
    const why = at < 0 ? "which nothing is mapped at" : `which may not be ${access === WRITE ? "written" : "read"}`;
    this.#machine.violate("wild-access", this.#vcpu, `${verb} ${what} at ${hex(physical)}, ${why}`);
    return -1;
  }
  #read(physical, sizeBytes) {
    if (this.cpu.stop !== 0) return 0;
    const cut = this.locked ? 0 : this.#machine.cut(physical, sizeBytes);
    if (cut !== 0) return this.#readHalves(physical, sizeBytes, cut);
    if (this.#cursor < this.#answered) {
      const value2 = this.#answers[this.#cursor++];
      if (sizeBytes === 8) this.high = this.#answers[this.#cursor++];
      return value2;
    }
    const at = this.#check(physical, READ, "memory");
    if (at < 0) return 0;
    const machine = this.#machine;
    const memory = machine.memory;
    const visible = this.#seenRead(at, sizeBytes);
    if (this.cpu.stop !== 0) return 0;
    if ((machine.sharing.writers[memory.granule(at)] & this.#bit) === 0) machine.foreignLoads++;
    const low = Math.min(4, sizeBytes);
    let value = memory.load(at, low);
    this.high = sizeBytes === 8 ? memory.load(at + 4, 4) : 0;
    if (this.locked) {
      if (!this.#openLock(visible, physical, sizeBytes)) return 0;
      if (visible) {
        machine.footprint.add(FP_READ, physical, sizeBytes);
        this.#observe("locked-load", physical, sizeBytes, value);
      }
    } else if (visible) {
      if (machine.model.partialWait && !this.buffer.coversOrMisses(physical, sizeBytes)) {
        this.park(AT_LOAD, physical, sizeBytes, 1);
        return 0;
      }
      if (!this.gate(AT_LOAD, physical, sizeBytes, 1)) return 0;
      value = this.buffer.forward(physical, low, value);
      if (sizeBytes === 8) this.high = this.buffer.forward(physical + 4, 4, this.high);
      machine.footprint.addLoad(this.buffer, physical, sizeBytes);
      this.#observe("load", physical, sizeBytes, value);
    }
    this.record(value);
    if (sizeBytes === 8) this.record(this.high);
    machine.onAccess(this.#vcpu, physical, sizeBytes, false);
    return value;
  }
  /** Notes a load of the running phase; true where others can see it. */
  #seenRead(at, sizeBytes) {
    if (!this.#running) return false;
    const machine = this.#machine;
    const memory = machine.memory;
    const visible = machine.sharing.noteRead(memory.granule(at), memory.granule(at + sizeBytes - 1), this.#bit);
    if (visible) machine.distrustCode(this.#vcpu);
    return visible;
  }
  /**
   * A load across an atomicity boundary: two events, in either order. Answers: the order (1: high half
   * first), then the bytes of each half as they come, a word for up to 4.
   */
  #readHalves(physical, sizeBytes, cut) {
    const at = this.#cursor < this.#answered ? this.#machine.memory.index(physical) : this.#check(physical, READ, "memory");
    if (at < 0) return 0;
    const visible = this.#seenRead(at, sizeBytes);
    if (this.cpu.stop !== 0) return 0;
    let low = 0;
    let high = 0;
    for (let half = -1; half < 2; half++) {
      if (half === -1) {
        if (this.#cursor < this.#answered) this.way = this.#answers[this.#cursor++];
        else {
          if (!visible) this.way = 0;
          else if (!this.gate(AT_LOAD, physical, sizeBytes, 2)) return 0;
          this.record(this.way);
        }
        this.#order = this.way;
        continue;
      }
      const from = half === this.#order ? 0 : cut;
      const to = half === this.#order ? cut : sizeBytes;
      if (half === 1 && visible && this.#cursor >= this.#answered && !this.gate(AT_LOAD, physical + from, to - from, 1)) return 0;
      for (let b = from; b < to; ) {
        const count = Math.min(4 - (b & 3), to - b);
        const value = this.#halfWord(physical + b, at + b, count);
        if (b < 4) low |= value << b * 8;
        else high |= value << (b - 4) * 8;
        b += count;
      }
    }
    this.high = high;
    return low;
  }
  #order = 0;
  #halfWord(physical, at, count) {
    if (this.#cursor < this.#answered) return this.#answers[this.#cursor++];
    const value = this.buffer.forward(physical, count, this.#machine.memory.load(at, count));
    this.#machine.footprint.addLoad(this.buffer, physical, count);
    this.#observe("load", physical, count, value);
    this.record(value);
    this.#machine.onAccess(this.#vcpu, physical, count, false);
    return value;
  }
  #walk(physical, sizeBytes) {
    if (this.cpu.stop !== 0) return 0;
    if (this.#cursor < this.#answered) {
      const value2 = this.#answers[this.#cursor++];
      if (sizeBytes === 8) this.high = this.#answers[this.#cursor++];
      return value2;
    }
    const machine = this.#machine;
    const memory = machine.memory;
    if (this.#peeking && memory.index(physical) < 0) {
      this.#unready = true;
      return 0;
    }
    const at = this.#check(physical, READ, "a page-table entry");
    if (at < 0) return 0;
    const visible = this.#running && machine.sharing.noteWalk(memory.granule(at), memory.granule(at + sizeBytes - 1));
    if (this.#peeking) this.#unready ||= visible;
    else if (visible && !this.gate(AT_LOAD, physical, sizeBytes, 1)) return 0;
    const value = memory.load(at, 4);
    this.high = sizeBytes === 8 ? memory.load(at + 4, 4) : 0;
    if (this.#peeking) return value;
    if (visible) {
      machine.footprint.add(FP_MEMORY_READ, physical, sizeBytes);
      this.#observe("walk", physical, sizeBytes, value);
      machine.onWalk(this.#vcpu, physical, sizeBytes);
    }
    this.#recordAgain(value);
    if (sizeBytes === 8) this.#recordAgain(this.high);
    return value;
  }
  #write(physical, sizeBytes, low, high) {
    if (this.cpu.stop !== 0 || this.#replayed()) return;
    const at = this.#check(physical, WRITE, "memory");
    if (at < 0) return;
    const machine = this.#machine;
    const memory = machine.memory;
    const changes = !this.locked || !memory.holds(at, sizeBytes, low, high);
    let visible = false;
    if (this.#running) visible = machine.sharing.noteWrite(memory.granule(at), memory.granule(at + sizeBytes - 1), this.#bit);
    const alias = this.#aliasOf(memory.granule(at));
    if (visible) machine.distrustCode(this.#vcpu);
    if (changes && (visible || physical >>> 0 < this.#stackFrom || physical >>> 0 >= this.#stackTo)) machine.quiet = false;
    if (this.locked) {
      if (!this.#openLock(visible, physical, sizeBytes)) return;
      if (visible) {
        if (!this.cpu.compareFailed) machine.footprint.add(FP_WRITE, physical, sizeBytes);
        this.#observe("locked-store", physical, sizeBytes, low);
      }
      machine.writeMemory(this.#vcpu, physical, sizeBytes, low, high, alias);
    } else if (!visible) {
      machine.privateStores++;
      machine.writeMemory(this.#vcpu, physical, sizeBytes, low, high, alias);
    } else if (!this.#enqueue(physical, sizeBytes, low, high, alias)) return;
    if (visible && changes) machine.effect = true;
    this.record(0);
    machine.onAccess(this.#vcpu, physical, sizeBytes, true);
  }
  /** Through which alias of its page the store at hand is made; 0 where that does not matter. */
  #aliasOf(granule) {
    const { model, sharing } = this.#machine;
    if (!model.matchesLinear || (this.cpu.r[CR0] & CR0_PG) === 0) return 0;
    if (this.#running) sharing.noteStoredThrough(granule, this.#vcpu, this.cpu.storeAlias);
    return this.cpu.storeAlias;
  }
  #enqueue(physical, sizeBytes, low, high, alias) {
    const machine = this.#machine;
    const cut = machine.cut(physical, sizeBytes);
    const room = machine.model.storeBuffer - this.buffer.count;
    if (machine.model.sc && this.buffer.count > 0 || room < (cut === 0 ? 1 : 2)) {
      if (!machine.model.sc) machine.weaken(`a store buffer was full (storeBuffer=${machine.model.storeBuffer})`);
      this.park(AT_STORE, physical, sizeBytes, 1);
      return false;
    }
    if (cut === 0) {
      this.buffer.push(physical, sizeBytes, low, high, alias);
      this.#granted = false;
    } else {
      if (!this.gate(AT_STORE, physical, sizeBytes, 2)) return false;
      const highHalf = shiftRight(low, high, cut);
      if (this.way === 1) this.buffer.push(physical + cut, sizeBytes - cut, highHalf[0], highHalf[1], alias);
      this.buffer.push(physical, cut, low, high, alias);
      if (this.way === 0) this.buffer.push(physical + cut, sizeBytes - cut, highHalf[0], highHalf[1], alias);
    }
    this.#observe("store", physical, sizeBytes, low);
    return true;
  }
  /** Locked accesses: an empty buffer, and one event for all of them. */
  #openLock(visible, physical, sizeBytes) {
    if (this.#lockOpen) return true;
    if (this.buffer.count > 0) {
      this.park(AT_LOCKED, physical, sizeBytes, 1);
      return false;
    }
    this.#machine.footprint.add(FP_FENCE, 0, 0);
    if (!visible) return true;
    if (!this.gate(AT_LOCKED, physical, sizeBytes, 1)) return false;
    this.#lockOpen = true;
    return true;
  }
  #observe(kind, address, sizeBytes, value) {
    if (this.#machine.observer !== null) this.#machine.observer({ kind, vcpu: this.#vcpu, address, sizeBytes, value });
  }
};
function shiftRight(low, high, bytes) {
  if (bytes >= 4) return [bytes === 4 ? high : high >>> (bytes - 4) * 8, 0];
  return [low >>> bytes * 8 | high << 32 - bytes * 8, high >>> bytes * 8];
}
function hex(value) {
  return "0x" + (value >>> 0).toString(16);
}

// src/smp/machine.ts
var WENT_ON = 0;
var VIOLATED = 1;
var CUT = 2;
var OPEN_TO_INTERRUPTS = 1;
var OPEN_TO_CODE = 2;
var MARKS_MIN = 1024;
var STACK_SCANNED = 1024;
var CALL_LENGTHS = [5, 2, 3, 6, 7];
var RETURNS = /* @__PURE__ */ new Set(["ret", "retf", "iret"]);
var FAR_TRANSFERS = /* @__PURE__ */ new Set(["call", "jmp", "retf", "iret", "int", "int3", "into", "sysenter", "sysexit"]);
var Machine = class {
  image;
  model;
  store;
  memory;
  sharing;
  fetchView;
  /** Null: the model caches none. */
  translations;
  cpus;
  coverage;
  /** What the last step touched. */
  footprint = new Footprint();
  /** The last step changed nothing but registers and the stack of its vCPU. */
  quiet = true;
  /** The last step did what others can see, or got its vCPU on: it ended, or woke up. */
  effect = false;
  /** vCPUs, as bits, that passed XM_PROGRESS in the last step. */
  progressed = 0;
  /** The last step accessed data, be it private. */
  touched = false;
  /** Private stores, and loads of what the vCPU does not write itself, in steps that were executed and not remembered. */
  privateStores = 0;
  foreignLoads = 0;
  /** Registers of the vCPU of the last RUN, before the instruction whose event it was; only where `eventBegins`. */
  eventRegisters = new Int32Array(REGISTER_WORDS);
  /** That event was the first of its instruction. */
  eventBegins = false;
  /** Why `complete` cannot be claimed; empty: it can. */
  weaknesses = /* @__PURE__ */ new Set();
  violation = null;
  observer = null;
  memo;
  /** Events taken. */
  step = 0;
  /** Code may be fetched stale, and some is shared: core serialisation matters. */
  get fetchIsVisible() {
    return this.sharing.codeShared && this.model.fetch.kind !== "coherent";
  }
  /** Translations may be stale: when one is invalidated matters. */
  get translationIsVisible() {
    return this.translations !== null && this.sharing.tablesChange;
  }
  #layout;
  #quietAt;
  #buses;
  #windows;
  /** By vCPU, once it has run. */
  #codes = [];
  #before = new Int32Array(REGISTER_WORDS);
  #handled;
  #watched = /* @__PURE__ */ new Map();
  #monitors;
  #accessMonitors;
  #judges;
  #writeMonitors;
  #returnMonitors;
  #remembers;
  #watchesFetches;
  #marks = new Int32Array(MARKS_MIN);
  /** Step that `undo` cannot go below. */
  #floor = 0;
  #cut = false;
  constructor(image, model, options = {}) {
    const monitors = options.monitors ?? [];
    const pages = options.pages ?? new PageMap(image.regions);
    const vcpus = image.vcpus.length;
    const ghostWords = monitors.reduce((sum2, monitor) => sum2 + monitor.ghostWords(vcpus), 0);
    const history = historyWords(vcpus, model.fetchHistory);
    this.observer = options.observer ?? null;
    this.image = image;
    this.model = model;
    this.coverage = options.coverage ?? { points: /* @__PURE__ */ new Map(), sites: /* @__PURE__ */ new Map(), cut: 0 };
    this.#layout = layOut(vcpus, image.interrupts.length, history, model.fetchHistory, translationWords(vcpus, model), ghostWords, pages.sizeBytes / 4);
    this.#quietAt = this.#layout.quiet;
    this.#liveAtExit = options.looksAtRegisters === true ? ALL_LIVE : 0;
    this.store = new Store(this.#layout.length, this.#layout.quiet);
    this.memory = new Memory(this.store, this.#layout.memory, pages, image.regions);
    this.sharing = options.sharing ?? new Sharing(pages.sizeBytes / 4, vcpus);
    this.memo = new StepMemo(this.store, this.#layout, this.sharing, this.footprint, this.eventRegisters, (id) => this.countPoint(id));
    this.memory.memo = this.memo;
    if (!model.ownStoresSeen && model.fetch.kind !== "coherent") this.sharing.ownCode = true;
    this.fetchView = new FetchView(this.store, this.#layout.history, this.#layout.serials, this.memory, this.sharing, model, vcpus, (v, physical) => this.#inQueue(v, physical));
    this.translations = model.tlb === "none" ? null : new Translations(this.store, this.#layout.translations, this.memory, this.sharing, model, vcpus);
    this.#handled = new Set(image.handledVectors);
    const buses = [];
    const cpus = [];
    for (let v = 0; v < vcpus; v++) {
      const base = this.#base(v);
      this.store.w.set(image.vcpus[v].registers, base);
      const bus = new VcpuBus(this, v, base);
      const cpu = new Cpu(this.store.w, base, bus, model.cpu, model.undefinedFlags);
      bus.cpu = cpu;
      buses.push(bus);
      cpus.push(cpu);
    }
    this.#buses = buses;
    this.cpus = cpus;
    this.#windows = cpus.map((cpu, v) => new CodeWindow(cpu, this.memory, buses[v]));
    this.#monitors = monitors;
    this.#watchesFetches = monitors.some((monitor) => monitor.onFetch !== void 0);
    this.#accessMonitors = monitors.filter((monitor) => monitor.onAccess !== void 0);
    this.#judges = monitors.filter((monitor) => monitor.onAccess !== void 0 || monitor.onFetch !== void 0 || monitor.onReturn !== void 0);
    this.#writeMonitors = monitors.filter((monitor) => monitor.onWrite !== void 0);
    this.#returnMonitors = monitors.filter((monitor) => monitor.onReturn !== void 0);
    this.#remembers = options.memo !== false && this.#judges.every((monitor) => monitor.isIdle !== void 0);
    let ghosts = this.#layout.ghosts;
    for (const monitor of monitors) {
      monitor.attach(this, ghosts);
      ghosts += monitor.ghostWords(vcpus);
      for (const eip of monitor.watches ?? []) this.#watched.set(eip, [...this.#watched.get(eip) ?? [], monitor]);
    }
    for (const source of image.interrupts) this.sharing.interruptible[source.vcpu] = 1;
    this.#start();
    this.store.seal();
    [this.store.h0, this.store.h1] = this.store.fullHash();
  }
  /** Lists the choices of this state in a fixed order; returns their number, 0 at the end of an execution. */
  enabled(out) {
    if (this.violation !== null || this.#cut) return 0;
    const phase = this.store.w[PHASE];
    if (phase === PHASE_DONE) return 0;
    const actors = phase === PHASE_RUN ? this.cpus.length : 1;
    let count = 0;
    for (let v = 0; v < actors; v++) {
      if (this.canContinue(v)) count = this.#listRuns(v, out, count);
      if (this.#buffered(v) > 0) count = this.#listDrains(v, out, count);
      if (phase === PHASE_RUN && this.sharing.interruptible[v] !== 0) count = this.#listInterrupts(v, out, count);
    }
    return count;
  }
  /** Performs one choice of `enabled`. */
  take(choice) {
    this.#pushMark();
    this.step++;
    this.footprint.clear();
    this.quiet = true;
    this.effect = false;
    this.progressed = 0;
    this.touched = false;
    this.eventBegins = false;
    const v = choiceVcpu(choice);
    const argument = choiceArgument(choice);
    switch (choiceKind(choice)) {
      case DRAIN:
        this.#drain(v, argument);
        break;
      case RUN:
        this.#step(v, argument);
        break;
      case INTERRUPT:
        this.#acceptInterrupt(v, argument);
        break;
      case NMI:
        this.#acceptNmi(v, argument);
        break;
    }
    this.#waysOf = -1;
    if (this.violation === null && !this.#cut) this.#progressPhase();
    this.#waysOf = -1;
    if (this.fetchView.capped) this.weaken(`the fetch history was full (fetchHistory=${this.model.fetchHistory})`);
    if (this.translations !== null && this.translations.capped) this.weaken(`a vCPU had more stale translations than are kept (tlbEntries=${this.model.tlbEntries})`);
    return this.violation !== null ? VIOLATED : this.#cut ? CUT : WENT_ON;
  }
  /** Reverts the last `take`. */
  undo() {
    if (this.step === this.#floor) throw new Error("undo beyond what was kept");
    this.#waysOf = -1;
    this.step--;
    this.store.undoTo(this.#marks[this.step]);
    this.violation = null;
    this.#cut = false;
  }
  /** What happened so far can no longer be undone: for long runs, whose log would have no end. */
  forget() {
    this.#floor = this.step;
    this.store.seal();
  }
  /** The vCPU's next event can be made now: leaving it is a preemption. */
  canContinue(v) {
    const pending = this.#quiet(v, PENDING2);
    if (pending === AT_END || pending === AT_HALT || pending === AT_NOTHING) return false;
    const buffered = this.#buffered(v);
    const sc = buffered > 0 && this.model.sc;
    switch (pending) {
      case AT_LOCKED:
      case AT_FENCE:
      case AT_SERIALIZE:
        return buffered === 0;
      case AT_SEND:
        return buffered === 0 || !this.model.ipiDrains && !this.model.sc;
      case AT_BLOCK:
        return this.store.w[this.#base(v) + KICKED] !== 0 && !sc;
      case AT_POLL:
        return buffered === 0 && this.polledByte(v) !== 0;
      case AT_STORE:
        return !sc && buffered + (this.#quiet(v, PENDING_WAYS) > 1 ? 2 : 1) <= this.model.storeBuffer;
      case AT_LOAD: {
        const physical = this.#quiet(v, PENDING_ADDRESS);
        const size = this.#quiet(v, PENDING_SIZE);
        return !sc && (!this.model.partialWait || this.#buses[v].buffer.coversOrMisses(physical, size));
      }
      default:
        return !sc && (buffered === 0 || !this.sharing.codeShared || this.#listRuns(v, this.#scratch, 0) > 0);
    }
  }
  // --- for partial-order reduction (explore/dpor) ---
  get vcpuCount() {
    return this.cpus.length;
  }
  get granules() {
    const { memory } = this;
    return { memory: memory.map.sizeBytes / 4, granuleOf: (physical) => memory.granule(memory.index(physical)) };
  }
  bufferedStoresOf(v) {
    return this.#buffered(v);
  }
  /** Physical address and size of each, oldest first. */
  bufferedStoresList(v) {
    const { buffer } = this.#buses[v];
    return Array.from({ length: buffer.count }, (_, k) => [buffer.address(k), buffer.size(k)]);
  }
  /** The registers of a vCPU, as long as it does not run. */
  registersOf(v) {
    return this.cpus[v].r;
  }
  /** Whether its stack and monitors' state are what they were before the steps of these numbers (oldest first, of one vCPU, all quiet). */
  restored(steps2) {
    const olds = /* @__PURE__ */ new Map();
    for (const step of steps2)
      this.store.forEachBetween(this.#marks[step], step + 1 < this.step ? this.#marks[step + 1] - 2 : this.store.top, (index, old) => {
        if (index >= this.#layout.ghosts && index < this.#quietAt && !olds.has(index)) olds.set(index, old);
      });
    for (const [index, old] of olds) if (this.store.w[index] !== old) return false;
    return true;
  }
  /** It is parked before the first event of an instruction. */
  betweenInstructions(v) {
    return !this.#begun(v);
  }
  /** Registers that can matter where the vCPU stands (cpu/liveness.ts). */
  liveRegisters(v) {
    const { r } = this.cpus[v];
    const eip = r[EIP];
    let byStack = this.#live.get(eip);
    if (byStack === void 0) this.#live.set(eip, byStack = /* @__PURE__ */ new Map());
    const known = byStack.get(r[ESP]);
    if (known !== void 0) return known;
    const flat = !this.sharing.codeShared && this.#isFlat(v);
    const live = flat ? liveAt(eip, (at) => this.#decodeAt(at), (offset) => this.#stackAt(v, offset), this.#liveAtExit) : ALL_LIVE;
    byStack.set(r[ESP], live);
    return live;
  }
  /** By EIP and ESP. */
  #live = /* @__PURE__ */ new Map();
  #liveAtExit;
  #stackAt(v, offset) {
    const { r } = this.cpus[v];
    const address = r[ESP] + offset | 0;
    const at = this.memory.index(address);
    if (r[SEG_BASE + SS] !== 0 || at < 0 || (address & 3) !== 0 || this.#buses[v].buffer.overlaps(address, 4)) return null;
    return { address, value: this.memory.load(at, 4) };
  }
  /** Its code is at linear addresses that are physical ones. */
  #isFlat(v) {
    const { r } = this.cpus[v];
    return (r[CR0] & CR0_PG) === 0 && r[SEG_BASE + CS] === 0 && (r[SEG_ATTR + CS] & ATTR_BIG) !== 0;
  }
  #decodeAt(eip) {
    const at = this.memory.index(eip);
    if (at < 0 || !this.memory.allows(eip, EXECUTE) || (eip & 4095) > 4096 - WINDOW) return null;
    const op = decode(this.memory.u8.slice(at, at + WINDOW), 0, WINDOW, true);
    return op.length === 0 ? null : op;
  }
  needsDrains(choice) {
    if (choiceKind(choice) === INTERRUPT || choiceKind(choice) === NMI) return this.model.interruptDrains;
    if (this.model.sc) return true;
    const v = choiceVcpu(choice);
    switch (this.#quiet(v, PENDING2)) {
      case AT_LOCKED:
      case AT_FENCE:
      case AT_SERIALIZE:
        return true;
      case AT_SEND:
        return this.model.ipiDrains;
      case AT_STORE:
        return this.#quiet(v, PENDING_WAYS) === 1;
      default:
        return false;
    }
  }
  alternatives(v) {
    return this.openTo(v) !== 0 ? 2 : this.#quiet(v, PENDING_WAYS);
  }
  openTo(v) {
    const interrupts = this.sharing.interruptible[v] !== 0 && this.#atBoundary(v) && this.#interruptsMatter(v) ? OPEN_TO_INTERRUPTS : 0;
    return interrupts | (this.fetchIsVisible && this.#fetchWays(v) > 0 ? OPEN_TO_CODE : 0);
  }
  canBeBlocked(choice) {
    return choiceKind(choice) === INTERRUPT || choiceKind(choice) === NMI || this.#quiet(choiceVcpu(choice), PENDING2) === AT_BLOCK;
  }
  /** A fetch variant by what it fetches: the numbers in `enabled` depend on what has been written to code so far. */
  identify(choice) {
    const v = choiceVcpu(choice);
    if (choiceKind(choice) !== RUN || !this.fetchIsVisible || this.#fetchWays(v) === 0) return choice;
    return packChoice(RUN, v, this.#variantName(v, choiceArgument(choice)));
  }
  /** The choice that `identify` would give this name here; -1: it is not enabled. */
  locate(name) {
    const v = choiceVcpu(name);
    const kind = choiceKind(name);
    if (kind === DRAIN) return this.#buses[v].buffer.count > 0 ? name : -1;
    if (kind === RUN) {
      if (!this.canContinue(v)) return -1;
      if (!this.fetchIsVisible || this.#fetchWays(v) === 0) return name;
    }
    const count = kind === RUN ? this.#listRuns(v, this.#scratch, 0) : this.#listInterrupts(v, this.#scratch, 0);
    for (let k = 0; k < count; k++) if (this.identify(this.#scratch[k]) === name) return this.#scratch[k];
    return -1;
  }
  #variantNames = /* @__PURE__ */ new Map();
  #variantName(v, variant) {
    const view = this.fetchView;
    const key = `${view.bytes.subarray(variant * 16, variant * 16 + view.lengths[variant]).join()}${this.model.fetch.kind === "strict" && view.races(v, variant) ? " race" : ""}`;
    const known = this.#variantNames.get(key);
    if (known !== void 0) return known;
    this.#variantNames.set(key, this.#variantNames.size);
    return this.#variantNames.size - 1;
  }
  /** Some vCPU has polled memory (XM_POLL). */
  polls = false;
  get unreducible() {
    if (this.fetchIsVisible && (this.model.cpu.queueBytes > 0 || !this.model.ownStoresSeen))
      return "dpor does not handle prefetch queues, nor own stores to code that lag; use --engine graph";
    if (this.fetchIsVisible && this.sharing.aliased) return "dpor does not handle own stores to code through another linear address; use --engine graph, or --set smcMatch=physical";
    if (this.translationIsVisible) return "dpor does not handle stale translations of page tables that change; use --engine graph, or --set tlb=none";
    if (this.model.storesOvertake) return "dpor does not handle storeOrder=any; use --engine graph";
    if (this.model.partialWait) return "dpor does not handle partialOverlap=wait; use --engine graph";
    return null;
  }
  /** What a choice would access (explore/sampling/pos.ts). */
  accessOf(choice, out) {
    const v = choiceVcpu(choice);
    const kind = choiceKind(choice);
    const pending = this.#quiet(v, PENDING2);
    out.signals = kind === INTERRUPT || kind === NMI || kind === RUN && (pending === AT_SEND || pending === AT_BLOCK || pending === AT_MARK);
    out.writes = kind === DRAIN || pending === AT_LOCKED;
    if (kind === DRAIN) {
      out.physical = this.#buses[v].buffer.address(choiceArgument(choice));
      out.sizeBytes = this.#buses[v].buffer.size(choiceArgument(choice));
    } else {
      out.physical = this.#quiet(v, PENDING_ADDRESS);
      out.sizeBytes = kind === RUN && (pending === AT_LOAD || pending === AT_LOCKED || pending === AT_FETCH || pending === AT_POLL) ? this.#quiet(v, PENDING_SIZE) : 0;
    }
  }
  // --- for liveness (explore/liveness) ---
  hasEnded(v) {
    return this.wordOf(v, STATUS) === ENDED;
  }
  /** It waits for a kick or an interrupt. */
  sleeps(v) {
    const pending = this.#quiet(v, PENDING2);
    return pending === AT_HALT || pending === AT_BLOCK && this.wordOf(v, KICKED) === 0 || pending === AT_POLL && this.polledByte(v) === 0;
  }
  /** What the byte holds that a polling vCPU waits for. */
  polledByte(v) {
    return this.memory.u8[this.memory.index(this.#quiet(v, PENDING_ADDRESS))];
  }
  /** A fetch or a translation that lags behind. */
  isStaleView(choice) {
    if (choiceKind(choice) !== RUN || choiceArgument(choice) === 0) return false;
    const pending = this.#quiet(choiceVcpu(choice), PENDING2);
    return pending === AT_FETCH || pending === AT_BOUNDARY || pending === AT_LOCAL || pending === AT_TRANSLATE;
  }
  /** Where code that goes round through these addresses would go otherwise (cpu/wayOut.ts). */
  wayOut(v, executed) {
    return this.#isFlat(v) ? wayOutOf(executed, this.#returnsOf(v), (eip) => this.#opAt(eip)) : "ends";
  }
  /** What looks like return addresses on the stack of `v`, innermost first, below the one that it started with. */
  #returnsOf(v) {
    const start = this.image.vcpus[v].registers[ESP];
    const returns = [];
    for (let offset = 0; this.cpus[v].r[ESP] + offset < start && offset < STACK_SCANNED; offset += 4) {
      const value = this.#stackAt(v, offset)?.value;
      if (value === void 0) break;
      if (CALL_LENGTHS.some((length) => this.#opAt(value - length >>> 0)?.row?.mnemonic === "call" && this.#opAt(value - length >>> 0)?.length === length)) returns.push(value >>> 0);
    }
    return returns;
  }
  #opAt(eip) {
    const bytes = new Uint8Array(2 * WINDOW);
    let length = 0;
    for (; length < WINDOW && this.memory.allows(eip + length, EXECUTE); length++) bytes[length] = this.memory.u8[this.memory.index(eip + length)];
    const op = decode(bytes, 0, length, true);
    return op.length === 0 || op.length > length ? null : op;
  }
  /** Where the vCPU stands, for people. */
  place(v) {
    return this.symbolize(this.cpus[v].r[EIP]);
  }
  eip(v) {
    return this.cpus[v].r[EIP] >>> 0;
  }
  kindOfStandstill() {
    return kindOfStandstill(this);
  }
  describeWait(v) {
    return describeWait(this, v);
  }
  /** A word of the vCPU that is not hashed (layout.ts). */
  clock(v, word) {
    return this.#quiet(v, word);
  }
  bufferedStores() {
    let sum2 = 0;
    for (let v = 0; v < this.cpus.length; v++) sum2 += this.#buffered(v);
    return sum2;
  }
  /** A choice that the environment makes, not the scheduler: a stale fetch, an interrupt, the order of halves. */
  isEnvironmentChoice(choice) {
    const kind = choiceKind(choice);
    if (kind === INTERRUPT || kind === NMI) return true;
    if (kind !== RUN || choiceArgument(choice) === 0) return false;
    const pending = this.#quiet(choiceVcpu(choice), PENDING2);
    return pending !== AT_NOTHING && PENDING_NAMES[pending] !== "choose";
  }
  /** `name+0x12`, or the bare address. */
  symbolize(address) {
    return symbolize(this.image, address);
  }
  icount(v) {
    return this.#quiet(v, ICOUNT);
  }
  pending(v) {
    return PENDING_NAMES[this.#quiet(v, PENDING2)];
  }
  /** The bytes of the instruction that `v` is about to execute: those that were fetched for it, else those in memory. */
  executedBytes(v, length) {
    const base = this.#base(v);
    if (this.store.w[base + FETCHED_LENGTH] !== 0) return this.memory.u8.slice((base + FETCHED_BYTES) * 4, (base + FETCHED_BYTES) * 4 + length);
    return Uint8Array.from({ length }, (_, b) => this.memory.u8[this.memory.index(this.#windows[v].physical[b])]);
  }
  /** The store buffer of vCPU `v`, to look at. */
  buffer(v) {
    return this.#buses[v].buffer;
  }
  /** The NUL-terminated string at `address`, or ''. */
  textAt(address) {
    let text = "";
    for (let at = this.memory.index(address); at >= 0 && text.length < 256 && this.memory.u8[at] !== 0; at++) text += String.fromCharCode(this.memory.u8[at]);
    return text;
  }
  // --- for the buses and monitors ---------------------------------------------------------------------
  /** The execution is judged: `kind` is machine-readable, `message` for people. The first judgement stays. */
  violate(kind, vcpu, message) {
    const cpu = this.cpus[vcpu];
    cpu.stop = STOP_VIOLATION;
    if (this.violation === null) this.violation = { kind, message, vcpu, eip: cpu.r[EIP] >>> 0 };
  }
  /** A monitor: others must be able to run once the instruction or delivery at hand is over. */
  pause() {
    this.#pauses = true;
  }
  #pauses = false;
  #takesPause() {
    const pauses = this.#pauses;
    this.#pauses = false;
    return pauses;
  }
  countPoint(id) {
    const { points } = this.coverage;
    points.set(id >>> 0, (points.get(id >>> 0) ?? 0) + 1);
    this.memo.notePoint(id);
  }
  weaken(reason) {
    this.weaknesses.add(reason);
  }
  cutExecution(vcpu) {
    this.cpus[vcpu].stop = STOP_VIOLATION;
    this.#cut = true;
    this.coverage.cut++;
  }
  /** The event of a step is made by the instruction at hand. */
  captureEvent(v, first) {
    this.eventBegins = first;
    if (first) this.eventRegisters.set(this.cpus[v].r);
    this.memo.noteEvent(first);
  }
  setPending(v, pending, physical, sizeBytes, ways) {
    const at = this.#layout.quiet + v * QUIET_WORDS;
    this.store.set(at + PENDING2, pending);
    this.store.set(at + PENDING_ADDRESS, physical);
    this.store.set(at + PENDING_SIZE, sizeBytes);
    this.store.set(at + PENDING_WAYS, ways);
    this.setWord(v, POSED, ways > 1 ? pending : 0);
  }
  onAccess(v, physical, sizeBytes, write) {
    this.touched = true;
    if (this.running()) for (const monitor of this.#accessMonitors) monitor.onAccess(v, physical, sizeBytes, write);
  }
  onWalk(v, physical, sizeBytes) {
    for (const monitor of this.#monitors) monitor.onWalk?.(v, physical, sizeBytes);
  }
  onTranslation(v, linear, entry, access) {
    for (const monitor of this.#monitors) monitor.onTranslation?.(v, linear, entry, access);
  }
  onMark(v, call4, eax, edx) {
    for (const monitor of this.#monitors) monitor.onMark?.(v, call4, eax, edx);
  }
  /** A store reaches memory, made through `alias` (storeBuffer.ts); `walker`: an update by a page walk, which changes no translation. */
  writeMemory(v, physical, sizeBytes, low, high, alias, walker = false) {
    const at = this.memory.index(physical);
    const { translations } = this;
    let tables = false;
    if (this.store.w[PHASE] === PHASE_RUN) {
      for (const monitor of this.#writeMonitors) monitor.onWrite(v, physical >>> 0, sizeBytes, low, high);
      if (this.fetchView.push(v, physical, sizeBytes, low, high, alias, (this.cpus[v].r[CR0] & CR0_PG) !== 0)) this.footprint.add(FP_RESOURCE_WRITE, RESOURCE_HISTORY, 0);
      tables = translations !== null && !walker && translations.watches(at, sizeBytes) && !this.memory.holds(at, sizeBytes, low, high);
    }
    if (tables) {
      this.memo.abandon();
      translations.beforeWrite(physical, sizeBytes);
    }
    this.#codes[v]?.cache.written(this.memory.granule(at) >> 10);
    this.memory.store(at, sizeBytes, low, high);
    if (tables) translations.wrote();
  }
  /** `v` makes an access that others can see, which may also be the first that shows its code to be shared. */
  distrustCode(v) {
    this.#codes[v]?.distrust();
  }
  /** Bytes up to which an access is one event; 0: all of it (SDM vol. 3A 9.1.1, by CPU class). */
  cut(physical, sizeBytes) {
    const { atomicBytes, lineBytes } = this.model.cpu;
    if (sizeBytes === 1) return 0;
    if (atomicBytes === 0) {
      const room = lineBytes - (physical & lineBytes - 1);
      return room < sizeBytes ? room : 0;
    }
    if (sizeBytes <= atomicBytes && (physical & sizeBytes - 1) === 0) return 0;
    for (let unit = 8; unit > 0; unit >>= 1) {
      const first = unit - (physical & unit - 1);
      if (first < sizeBytes) return first;
    }
    return 0;
  }
  /**
   * Freeing or allocating is a write for everybody who touches the memory: their accesses become events, so
   * that none of them is moved across it. False: it is not memory.
   */
  noteLifetime(v, address, sizeBytes) {
    return this.#noteWriters(1 << v, address, sizeBytes);
  }
  /** Of what is released every access is an event: nobody's is moved across it. */
  noteReleased(address, sizeBytes) {
    return this.#noteWriters((1 << this.cpus.length) - 1, address, sizeBytes);
  }
  #noteWriters(vcpus, address, sizeBytes) {
    if (sizeBytes === 0) return true;
    const first = this.memory.index(address);
    if (first < 0 || this.memory.index(address + sizeBytes - 1) < 0) return false;
    for (let b = 0; b < sizeBytes; b += 4096 - (address + b & 4095)) {
      const at = this.memory.index(address + b);
      if (at < 0) return false;
      const last = Math.min(sizeBytes - b, 4096 - (address + b & 4095)) - 1;
      if (this.running()) for (let g = this.memory.granule(at); g <= this.memory.granule(at + last); g++) this.sharing.noteWrite(g, g, vcpus);
    }
    return true;
  }
  /** A kick or interrupt for `v` was sent (wakes.ts). */
  noteWake(v, what) {
    this.#noteClock(v, WAKE_CAME, this.step);
    this.#noteClock(v, WAKE_WHAT, this.sleeps(v) ? what | WAKE_IN_TIME : what);
  }
  noteWakeTaken(v) {
    this.#noteClock(v, WAKE_TAKEN, this.step);
  }
  #noteClock(v, word, value) {
    this.store.set(this.#layout.quiet + v * QUIET_WORDS + word, value);
  }
  guestCall(v, bus, call4, eax, edx) {
    return callGuest(this, v, bus, call4, eax, edx);
  }
  running() {
    return this.store.w[PHASE] === PHASE_RUN;
  }
  wordOf(v, word) {
    return this.store.w[this.#base(v) + word];
  }
  setWord(v, word, value) {
    this.store.set(this.#base(v) + word, value);
  }
  // --- phases -----------------------------------------------------------------------------------------
  #start() {
    const store = this.store;
    if (this.image.init !== null) {
      store.set(PHASE, PHASE_INIT);
      this.#enter(0, this.image.init);
      for (let v = 1; v < this.cpus.length; v++) this.setPending(v, AT_LOCAL, 0, 0, 1);
      this.#progressPhase();
    } else this.#startVcpus();
  }
  #startVcpus() {
    this.store.set(PHASE, PHASE_RUN);
    for (let v = 0; v < this.cpus.length && this.violation === null; v++) this.#enter(v, this.image.vcpus[v].registers);
    this.#progressPhase();
  }
  #enter(v, registers) {
    this.store.setAll(this.#base(v), registers, REGISTER_WORDS);
    this.setWord(v, STATUS, RUNNABLE);
    this.setPending(v, AT_NOTHING, 0, 0, 1);
    this.#buses[v].grant(false, AT_NOTHING, 0);
    if (this.running()) this.translations?.invalidate(v, this.cpus[v].r, true);
    this.#advance(v);
  }
  #progressPhase() {
    const phase = this.store.w[PHASE];
    if (this.violation !== null || this.#cut) return;
    if (phase === PHASE_DONE) return;
    const actors = phase === PHASE_RUN ? this.cpus.length : 1;
    let ended = true;
    for (let v = 0; v < actors; v++) {
      const buffered = this.#buffered(v);
      if (buffered === 0 && this.wordOf(v, STATUS) === ENDED) continue;
      ended = false;
      if (buffered > 0 || this.canContinue(v) || this.#listInterrupts(v, this.#scratch, 0) > 0) return;
    }
    if (!ended) return this.#deadlock(actors);
    this.effect = true;
    if (phase === PHASE_INIT) this.#startVcpus();
    else if (phase === PHASE_RUN && this.image.final !== null) {
      this.store.set(PHASE, PHASE_FINAL);
      this.#enter(0, this.image.final);
      this.#progressPhase();
    } else this.store.set(PHASE, PHASE_DONE);
  }
  /** As many as a fetch or a data choice has ways at the most (fetchView.ts, guestServices.ts), and interrupts. */
  #scratch = new Int32Array(2048);
  #deadlock(actors) {
    const waits = [];
    let first = -1;
    for (let v = 0; v < actors; v++) {
      if (this.#quiet(v, PENDING2) === AT_END) continue;
      if (first < 0) first = v;
      waits.push(describeWait(this, v));
    }
    this.violate(kindOfStandstill(this), first, `nobody can go on: ${waits.join("; ")}`);
  }
  // --- steps ------------------------------------------------------------------------------------------
  #drain(v, entry) {
    const buffer = this.#buses[v].buffer;
    const physical = buffer.address(entry);
    const size = buffer.size(entry);
    const low = buffer.low(entry);
    this.effect = true;
    this.footprint.add(FP_WRITE, physical, size);
    this.writeMemory(v, physical, size, low, buffer.high(entry), buffer.alias(entry));
    buffer.remove(entry);
    for (const monitor of this.#monitors) monitor.onDrain?.(v, physical, size);
    this.observer?.({ kind: "drain", vcpu: v, address: physical, sizeBytes: size, value: low });
  }
  #acceptInterrupt(v, argument) {
    const vector = argument & 255;
    const source = argument >>> 8;
    if (source > 0) this.#arrive(v, source - 1);
    else this.setWord(v, IRR + (vector >> 5), this.wordOf(v, IRR + (vector >> 5)) & ~(1 << (vector & 31)));
    this.observer?.({ kind: "interrupt", vcpu: v, address: vector, sizeBytes: 0, value: 0 });
    this.#inject(v, EVENT_VALID | EVENT_EXTERNAL | vector);
  }
  #acceptNmi(v, argument) {
    if (argument > 0) this.#arrive(v, argument - 1);
    else this.setWord(v, NMI_PENDING, 0);
    this.observer?.({ kind: "nmi", vcpu: v, address: 2, sizeBytes: 0, value: 0 });
    this.#inject(v, EVENT_VALID | EVENT_NMI | 2);
  }
  #arrive(v, source) {
    const { max, vector } = this.image.interrupts[source];
    if (max > 0) this.store.set(this.#layout.sources + source, this.store.w[this.#layout.sources + source] + 1);
    this.noteWake(v, wakeBy(WAKE_SOURCE, 0, vector));
  }
  #inject(v, event) {
    const pending = this.#quiet(v, PENDING2);
    if (pending === AT_POLL || pending === AT_BLOCK && this.#quiet(v, PENDING_SIZE) === BLOCK_UNTIL_INTERRUPT) this.setWord(v, EIP, this.cpus[v].r[EIP] + GUEST_CALL_BYTES);
    this.quiet = false;
    if (this.wordOf(v, ACTIVITY) === HALTED) {
      this.effect = true;
      this.#noteClock(v, WAKE_WHAT, this.clock(v, WAKE_WHAT) | WAKE_IN_TIME);
    }
    this.#noteClock(v, WAKE_TAKEN, this.step);
    this.footprint.add(FP_RESOURCE_WRITE, RESOURCE_VCPU + v, 0);
    this.setWord(v, EVENT, event);
    this.setWord(v, ACTIVITY, ACTIVE);
    this.#buses[v].grant(false, AT_NOTHING, 0);
    this.#advance(v);
  }
  /** The next event of `v`: done as it was done before, or executed. */
  #step(v, argument) {
    const rememberable = this.#isRememberable(v);
    if (rememberable && this.memo.apply(v, argument, this.cpus[v].r)) {
      const { flags } = this.memo;
      this.quiet = (flags & FLAG_QUIET) !== 0;
      this.effect = (flags & FLAG_EFFECT) !== 0;
      this.touched = (flags & FLAG_TOUCHED) !== 0;
      this.progressed = (flags & FLAG_PROGRESSED) !== 0 ? 1 << v : 0;
      this.eventBegins = this.memo.eventBegins;
      return;
    }
    if (rememberable) this.memo.begin(v, argument);
    if (this.#quiet(v, PENDING2) === AT_LOCAL || this.#quiet(v, PENDING2) === AT_BOUNDARY) this.captureEvent(v, !this.#begun(v));
    this.#buses[v].grant(true, this.#quiet(v, PENDING2), argument);
    this.#advance(v);
  }
  /** The step depends on nothing but what is noted. */
  #isRememberable(v) {
    if (!this.#remembers || this.observer !== null || this.sharing.codeShared || this.sharing.interruptible[v] !== 0 || !this.running()) return false;
    if (this.translations?.isOn(v) && (this.sharing.tablesChange || this.model.tlbSpeculative === "no")) return false;
    for (const judge2 of this.#judges) if (!judge2.isIdle()) return false;
    return true;
  }
  /** Runs `v` up to its next visible event (after the granted one), and logs what its registers became. */
  #advance(v) {
    const base = this.#base(v);
    const w = this.store.w;
    for (let k = 0; k < REGISTER_WORDS; k++) this.#before[k] = w[base + k];
    this.#waysOf = -1;
    this.#run(v);
    this.#waysOf = -1;
    this.store.commit(base, this.#before, REGISTER_WORDS);
    if (this.violation !== null || this.#cut) this.memo.abandon();
    if (this.#remembers) this.memo.end(v, this.#flagsOfStep());
  }
  #flagsOfStep() {
    return (this.quiet ? FLAG_QUIET : 0) | (this.effect ? FLAG_EFFECT : 0) | (this.touched ? FLAG_TOUCHED : 0) | (this.progressed !== 0 ? FLAG_PROGRESSED : 0);
  }
  #run(v) {
    const cpu = this.cpus[v];
    const bus = this.#buses[v];
    const r = cpu.r;
    const code = this.#codes[v] ??= new PrivateCode(v, cpu, bus, this.memory, this.sharing);
    code.distrust();
    let boundaryOffered = this.#quiet(v, PENDING2) !== AT_NOTHING;
    let first = true;
    for (let steps2 = 0; ; ) {
      if (this.violation !== null || this.#cut) return;
      if (this.wordOf(v, STATUS) === ENDED) return this.setPending(v, AT_END, 0, 0, 1);
      if (r[ACTIVITY] === SHUTDOWN) return this.violate("triple-fault", v, `triple fault at ${this.symbolize(r[EIP])}`);
      if ((r[EVENT] & EVENT_VALID) !== 0) {
        if (!this.#deliver(v)) return;
        if (this.#takesPause()) return this.setPending(v, AT_LOCAL, 0, 0, 1);
        continue;
      }
      if (r[ACTIVITY] === HALTED) return this.setPending(v, AT_HALT, 0, 0, 1);
      const begun = this.#begun(v);
      if (!begun && !boundaryOffered && this.#interruptsMatter(v)) return this.setPending(v, AT_BOUNDARY, 0, 0, 1);
      if (!begun && this.model.sc && this.model.cpu.queueBytes > 0 && bus.buffer.count > 0) return this.setPending(v, AT_BOUNDARY, 0, 0, 1);
      if (!begun && steps2 === this.model.localSteps) return this.setPending(v, AT_LOCAL, 0, 0, 1);
      boundaryOffered = false;
      if (!begun && this.#mayRunBlocks(v)) {
        const done = code.run(this.model.localSteps - steps2, this.running());
        steps2 += done;
        if (done > 0) {
          this.#count(v, done);
          first = false;
        }
        if (cpu.stop === STOP_FAULT) {
          steps2++;
          this.#raise(v);
          continue;
        }
        if (cpu.stop !== 0) {
          if (this.violation === null) bus.keepAnswers();
          return;
        }
        if (done > 0) continue;
      }
      if (!begun) steps2++;
      const eip = r[EIP];
      const kept = this.wordOf(v, FETCHED_LENGTH) !== 0;
      bus.beginAttempt();
      const op = this.#fetch(v, first);
      if (op === null) {
        if (cpu.stop === STOP_FAULT && this.violation === null) {
          this.#raise(v);
          continue;
        }
        if (this.violation === null) bus.keepAnswers();
        return;
      }
      if (!kept && bus.seesFirst()) this.#watch(v, eip, op);
      if (this.violation !== null) return;
      cpu.execute(op);
      if (cpu.stop === 0) {
        this.#retire(v, eip, op);
        if (this.#takesPause()) return this.setPending(v, AT_LOCAL, 0, 0, 1);
        first = false;
        continue;
      }
      if (cpu.stop === STOP_FAULT) {
        this.#raise(v);
        continue;
      }
      if (this.violation === null) bus.keepAnswers();
      return;
    }
  }
  /** Nobody looks at single instructions (a memo, a monitor, an observer, an interrupt, a prefetch queue), and none is begun. */
  #mayRunBlocks(v) {
    return !this.memo.recording && this.#watched.size === 0 && !this.#watchesFetches && this.observer === null && this.model.cpu.queueBytes === 0 && this.sharing.interruptible[v] === 0 && (this.cpus[v].r[CR0] & CR0_PG) === 0 && canRunBlocks(this.cpus[v]);
  }
  /** `v` has retired so many instructions. */
  #count(v, instructions) {
    const at = this.#layout.quiet + v * QUIET_WORDS + ICOUNT;
    this.store.set(at, this.store.w[at] + instructions);
  }
  #retire(v, eip, op) {
    this.#clearInstruction(v);
    if (this.model.cpu.queueBytes > 0 && FAR_TRANSFERS.has(op.row?.mnemonic ?? "")) this.onBranch(v);
    this.#count(v, 1);
    this.observer?.({ kind: "instruction", vcpu: v, address: eip >>> 0, sizeBytes: op.length, value: 0, op });
  }
  #clearInstruction(v) {
    this.#buses[v].clearAnswers();
    const base = this.#base(v);
    if (this.store.w[base + FETCHED_LENGTH] === 0) return;
    for (let k = 0; k < 5; k++) this.store.set(base + FETCHED_LENGTH + k, 0);
  }
  #watch(v, eip, op) {
    if (this.#returnMonitors.length > 0 && this.running() && RETURNS.has(op.row?.mnemonic ?? "")) {
      const place = this.cpus[v].r[SEG_BASE + SS] + this.cpus[v].r[ESP] >>> 0;
      for (const monitor of this.#returnMonitors) monitor.onReturn(v, place);
    }
    if (this.running()) for (const monitor of this.#monitors) monitor.onFetch?.(v, eip >>> 0, op.length, this.#windows[v].physical[0] >>> 0);
    if (this.#watched.size === 0) return;
    const watchers = this.#watched.get(eip >>> 0);
    if (watchers === void 0) return;
    this.memo.abandon();
    for (const monitor of watchers) monitor.onExecute?.(v, eip >>> 0, op);
  }
  /** The instruction at EIP: decoded, or null when parked (a visible fetch comes first), faulted or judged. */
  #fetch(v, first) {
    const cpu = this.cpus[v];
    const window = this.#windows[v];
    const base = this.#base(v);
    const length = this.store.w[base + FETCHED_LENGTH];
    cpu.stop = 0;
    if (length !== 0) return window.decodeKept(this.memory.u8, (base + FETCHED_BYTES) * 4, length);
    const op = window.load();
    if (cpu.stop !== 0) return null;
    if (op === null) {
      this.violate("wild-fetch", v, `executes at ${this.symbolize(cpu.r[EIP])}, which is not mapped as code`);
      return null;
    }
    if (!this.running() || !window.noteFetch(op.length, this.sharing, v, this.model.matchesLinear)) return op;
    const bus = this.#buses[v];
    const variant = this.canFetch(v) ? bus.takeFetch(first) : -1;
    if (variant < 0) {
      bus.park(AT_FETCH, cpu.r[EIP], op.length, 1);
      return null;
    }
    bus.dropAnswers();
    return this.#fetchVariant(v, variant);
  }
  /** With paging on, which physical bytes follow EIP is not worked out: all of them may. */
  #inQueue(v, physical) {
    const { r } = this.cpus[v];
    if ((r[CR0] & CR0_PG) !== 0) return true;
    const ahead = physical - (r[SEG_BASE + CS] + r[EIP]) >>> 0;
    return ahead < this.model.cpu.queueBytes + (this.#begun(v) ? WINDOW : 0);
  }
  /** `v` jumps: what its prefetch queue held is gone. */
  onBranch(v) {
    if (this.fetchIsVisible && this.running()) this.fetchView.branch(v);
  }
  canFetch(v) {
    return !(this.model.sc && this.#buses[v].buffer.count > 0);
  }
  #fetchVariant(v, variant) {
    const window = this.#windows[v];
    const view = this.fetchView;
    const eip = this.cpus[v].r[EIP];
    window.enumerate(view, v);
    if (variant >= view.count) throw new Error(`fetch variant ${variant} of ${view.count}`);
    if (this.model.fetch.kind === "strict" && view.races(v, variant)) {
      this.violate("code-race", v, `executes code at ${this.symbolize(eip)} that was modified since vCPU ${v} last serialised`);
      return null;
    }
    const at = variant * 16;
    const length = view.lengths[variant];
    const coherent = this.model.fetch.kind === "coherent";
    const kind = !coherent ? FP_STALE_FETCH : this.model.ownStoresSeen ? FP_FETCH : FP_MEMORY_READ;
    for (let b2 = 0; b2 < length; b2++) this.footprint.add(kind, window.physical[b2], 1);
    const base = this.#base(v);
    const b = view.bytes;
    this.store.set(base + FETCHED_LENGTH, length);
    for (let k = 0; k < 4; k++) {
      let word = 0;
      for (let j = 0; j < 4; j++) if (k * 4 + j < length) word |= b[at + k * 4 + j] << j * 8;
      this.store.set(base + FETCHED_BYTES + k, word);
    }
    if (this.observer !== null)
      this.observer({ kind: "fetch", vcpu: v, address: eip >>> 0, sizeBytes: length, value: variant, bytes: b.slice(at, at + length), stale: variant !== 0 });
    view.use(v, variant);
    if (!coherent) this.footprint.add(FP_CODE_SEEN, view.seen, 0);
    const op = window.decodeKept(this.memory.u8, (base + FETCHED_BYTES) * 4, length);
    this.#watch(v, eip, op);
    return this.violation === null ? op : null;
  }
  /** A fault of the attempt becomes the event to deliver. */
  #raise(v) {
    const cpu = this.cpus[v];
    this.#clearInstruction(v);
    const at = this.symbolize(cpu.r[EIP]);
    const vector = cpu.faultVector;
    if (vector === PAGE_FAULT && this.running()) this.translations?.pageFault(v, cpu.faultAddress);
    if (!this.#handled.has(vector)) {
      const missing = cpu.remark === null ? "" : ` (${cpu.remark})`;
      return this.violate("unhandled-exception", v, `exception ${vector} (${EXCEPTION_NAMES[vector] ?? "?"}) at ${at} has no handler${missing}`);
    }
    this.observer?.({ kind: "exception", vcpu: v, address: vector, sizeBytes: 0, value: cpu.faultError });
    cpu.raise();
  }
  /** Delivers the event in EVENT. False: parked or judged. */
  #deliver(v) {
    this.quiet = false;
    const cpu = this.cpus[v];
    const bus = this.#buses[v];
    const vector = cpu.r[EVENT] & 255;
    const saved2 = cpu.r[EIP];
    const software = (cpu.r[EVENT] & EVENT_TYPE) >= EVENT_INT_N;
    const above = (cpu.r[EVENT] & EVENT_HAS_ERROR) !== 0 ? 4 : 0;
    if (!this.#handled.has(vector)) {
      const name = vector < 32 ? `exception ${vector} (${EXCEPTION_NAMES[vector] ?? "?"})` : `interrupt vector ${vector}`;
      this.violate(vector < 32 ? "unhandled-exception" : "unhandled-interrupt", v, `${name} at ${this.symbolize(cpu.r[EIP])} has no handler`);
      return false;
    }
    bus.beginAttempt();
    if (this.model.interruptDrains) bus.fence();
    if (this.model.interruptSync) bus.serialize();
    if (cpu.stop === 0) cpu.deliver();
    if (cpu.stop === 0) {
      if (!software && this.running())
        for (const monitor of this.#monitors) monitor.onInterrupt?.(v, cpu.r[SEG_BASE + SS] + cpu.r[ESP] + above >>> 0, saved2 >>> 0);
      if (this.model.cpu.queueBytes > 0) this.onBranch(v);
      bus.clearAnswers();
      return true;
    }
    if (cpu.stop === STOP_FAULT) {
      this.#raise(v);
      return this.violation === null;
    }
    if (this.violation === null) bus.keepAnswers();
    return false;
  }
  // --- choices ----------------------------------------------------------------------------------------
  /** Variants of the visible fetch that the vCPU's next event is, left in `fetchView`; 0: it is none. */
  #fetchWays(v) {
    if (this.#waysOf !== v) {
      this.#ways = this.#findFetchWays(v);
      this.#waysOf = v;
    }
    return this.#ways;
  }
  /** What the last `#fetchWays` found, and of whom; -1: the state has changed since. */
  #ways = 0;
  #waysOf = -1;
  #findFetchWays(v) {
    const pending = this.#quiet(v, PENDING2);
    if (pending !== AT_FETCH && (pending !== AT_BOUNDARY && pending !== AT_LOCAL || !this.#atBoundary(v))) return 0;
    const window = this.#windows[v];
    const bus = this.#buses[v];
    bus.beginPeek();
    const op = window.load();
    if (!bus.endPeek() || op === null || !this.running() || !window.noteFetch(op.length, this.sharing, v, this.model.matchesLinear)) return 0;
    return window.enumerate(this.fetchView, v);
  }
  #listRuns(v, out, count) {
    if (this.#quiet(v, PENDING2) === AT_TRANSLATE) {
      const ways2 = this.translations.enumerate(v, this.#quiet(v, PENDING_ADDRESS), this.#quiet(v, PENDING_SIZE), this.cpus[v].r);
      for (let way = 0; way <= ways2; way++) out[count++] = packChoice(RUN, v, way);
      return count;
    }
    const fetches = this.#fetchWays(v);
    if (fetches > 0) {
      for (let way = 0; way < fetches; way++)
        if (!this.model.ownStoresSeen || !this.#windows[v].overlapsBuffer(this.#buses[v].buffer, this.fetchView.lengths[way], this.model.matchesLinear))
          out[count++] = packChoice(RUN, v, way);
      return count;
    }
    const ways = this.#quiet(v, PENDING_WAYS);
    for (let way = 0; way < ways; way++) out[count++] = packChoice(RUN, v, way);
    return count;
  }
  #listDrains(v, out, count) {
    out[count++] = packChoice(DRAIN, v);
    if (!this.model.storesOvertake) return count;
    const { buffer } = this.#buses[v];
    for (let entry = 1; entry < buffer.count; entry++) if (buffer.mayOvertake(entry)) out[count++] = packChoice(DRAIN, v, entry);
    return count;
  }
  #listInterrupts(v, out, count) {
    if (this.sharing.interruptible[v] === 0 || !this.#atBoundary(v)) return count;
    const cpu = this.cpus[v];
    if (this.model.interruptDrains && this.#buses[v].buffer.count > 0) return count;
    if (cpu.canTakeNmi()) {
      if (this.wordOf(v, NMI_PENDING) !== 0) out[count++] = packChoice(NMI, v);
      this.image.interrupts.forEach((source, k) => {
        if (source.nmi && source.vcpu === v && this.#left(k)) out[count++] = packChoice(NMI, v, k + 1);
      });
    }
    if (!cpu.canTakeInterrupt()) return count;
    for (let word = 7; word >= 0; word--) {
      const bits = this.wordOf(v, IRR + word);
      if (bits === 0) continue;
      out[count++] = packChoice(INTERRUPT, v, word * 32 + 31 - Math.clz32(bits));
      break;
    }
    this.image.interrupts.forEach((source, k) => {
      if (!source.nmi && source.vcpu === v && this.#left(k)) out[count++] = packChoice(INTERRUPT, v, source.vector | k + 1 << 8);
    });
    return count;
  }
  #left(source) {
    const max = this.image.interrupts[source].max;
    return max === 0 || this.store.w[this.#layout.sources + source] < max;
  }
  /** An interrupt could be taken at this boundary, now or once somebody sends it. */
  #interruptsMatter(v) {
    if (this.sharing.interruptible[v] === 0 || !this.running()) return false;
    const cpu = this.cpus[v];
    return cpu.canTakeInterrupt() || cpu.canTakeNmi();
  }
  /** The vCPU stands between two instructions, and no event is on its way to a handler. */
  #atBoundary(v) {
    return !this.#begun(v) && this.wordOf(v, STATUS) !== ENDED && (this.cpus[v].r[EVENT] & EVENT_VALID) === 0;
  }
  #begun(v) {
    return this.wordOf(v, ANSWER_COUNT) !== 0 || this.wordOf(v, FETCHED_LENGTH) !== 0;
  }
  /** Entries in the store buffer of `v`. */
  #buffered(v) {
    return this.store.w[GLOBAL_WORDS + v * VCPU_WORDS + BUFFER_COUNT];
  }
  #base(v) {
    return GLOBAL_WORDS + v * VCPU_WORDS;
  }
  #quiet(v, word) {
    return this.store.w[this.#quietAt + v * QUIET_WORDS + word];
  }
  #pushMark() {
    if (this.step === this.#marks.length) {
      const marks = new Int32Array(this.#marks.length * 2);
      marks.set(this.#marks);
      this.#marks = marks;
    }
    this.#marks[this.step] = this.store.mark();
  }
};
var PAGE_FAULT = 14;

// src/explore/dpor/openWays.ts
var OpenWays = class {
  #path;
  #sequence;
  #chooser;
  /** What of others could have added ways to event d (Reducible.openTo), and own stores that were buffered. */
  #open = new Uint8Array(256);
  #buffered = new Uint8Array(256);
  #any = false;
  constructor(path, sequence, chooser) {
    this.#path = path;
    this.#sequence = sequence;
    this.#chooser = chooser;
  }
  grow() {
    this.#open = grownFlags(this.#open);
    this.#buffered = grownFlags(this.#buffered);
  }
  /** The machine is about to take `choice` as event d. @param buffered own stores */
  note(d, choice, buffered) {
    this.#open[d] = choiceKind(choice) === RUN ? this.#path.machine.openTo(choiceVcpu(choice)) : 0;
    this.#buffered[d] = buffered;
    if (this.#open[d] !== 0) this.#any = true;
  }
  /**
   * Plans the executions in which one of the events from `from` on came early enough for others to go another way. The machine walks back
   * along the execution once, and from each node forth as far as something can open ways there.
   */
  reverse(from) {
    if (!this.#any || this.#path.fault === "no-open-ways") return;
    const { trail, floor, machine, real } = this.#path;
    let at = trail.depth;
    for (let e = trail.depth - 2; e >= floor; e--) {
      if (this.#open[e] === 0) continue;
      const last = this.#listOpeners(e, Math.max(from, e + 1));
      if (last < 0) continue;
      while (at > e) if (real[--at] === 1) machine.undo();
      this.#plan(e, last);
      if (this.#path.violation !== null) return;
    }
    this.#path.comeBackFrom(at);
  }
  /** By event: the event e for which it is known to open ways. */
  #opens = new Int32Array(256).fill(-1);
  /** Notes which events from `from` on can add ways to event e. Returns the last; -1: none. */
  #listOpeners(e, from) {
    const { trail, cells } = this.#path;
    if (this.#opens.length < trail.depth) this.#opens = new Int32Array(trail.choice.length).fill(-1);
    const vcpu = trail.process[e] >> 1;
    const interrupts = (this.#open[e] & OPEN_TO_INTERRUPTS) !== 0;
    const code = (this.#open[e] & OPEN_TO_CODE) !== 0;
    let left = interrupts ? this.#buffered[e] : 0;
    let last = -1;
    for (let d = left > 0 ? e + 1 : from; d < trail.depth; d++) {
      const process2 = trail.process[d];
      this.#opens[d] = -1;
      if (d < from && process2 !== vcpu * 2 + 1 || trail.before(e, d)) continue;
      let opens = code && trail.codeWrites[d] > 0;
      if (process2 === vcpu * 2 + 1) opens ||= left > 0 && --left === 0;
      else opens ||= interrupts && process2 >> 1 !== vcpu && cells.writesResource(trail.touched[d], RESOURCE_VCPU + vcpu);
      if (!opens || d < from) continue;
      this.#opens[d] = e;
      last = d;
    }
    return last;
  }
  /** Plans the ways that the process of event e has only when what came between has come before it, up to each of its openers. */
  #plan(e, last) {
    const { machine, trail, real } = this.#path;
    const vcpu = trail.process[e] >> 1;
    const before2 = this.#chooser.waysOf(vcpu, e);
    const events = [];
    const taken = [];
    for (let d = e; d <= last; d++) {
      if (real[d] === 0 || trail.before(e, d)) continue;
      const choice = machine.locate(trail.choice[d] & ~FORKED);
      if (choice < 0) break;
      events.push(d);
      taken.push(choice);
      const outcome = machine.take(choice);
      if (outcome !== 0 && machine.violation !== null) return this.#path.fail(machine.violation, [...this.#path.choices(e), ...taken]);
      if (this.#opens[d] === e) this.#planWays(e, d, vcpu, before2, events);
      if (outcome !== 0) break;
    }
    for (let k = 0; k < events.length; k++) machine.undo();
  }
  /** The machine has taken `events`, the last of them d, from node e: plans the ways that it has now and did not have there. */
  #planWays(e, d, vcpu, before2, events) {
    const { machine, trail, cells } = this.#path;
    for (const name of this.#chooser.waysOf(vcpu, e)) {
      if (before2.includes(name)) continue;
      machine.take(machine.locate(name));
      cells.read(machine.footprint);
      machine.undo();
      const at = trail.depth;
      trail.choice[at] = name | FORKED;
      trail.process[at] = vcpu * 2;
      trail.touched[at] = cells.number();
      trail.own[at] = null;
      this.#sequence.clear();
      for (const event of [...events, at]) this.#sequence.add(event);
      const whole2 = this.#addRest(e, d, at);
      const explored = this.#sequence.isExplored(e, whole2);
      this.#sequence.cut(events.length + 1);
      if (!explored) this.#sequence.insert(e);
    }
  }
  /**
   * Adds to the sequence the events after `d` that do not come after `e`, in place of which stands `other`: they may wake who sleeps. False: some
   * conflict with it, and were left out.
   */
  #addRest(e, d, other) {
    const { trail, cells } = this.#path;
    const left = [];
    for (let x = d + 1; x < trail.depth; x++) {
      if (trail.before(e, x)) continue;
      if (cells.conflict(trail.touched[other], trail.touched[x]) || left.some((one) => trail.before(one, x))) left.push(x);
      else this.#sequence.add(x);
    }
    return left.length === 0;
  }
};

// src/explore/dpor/trail.ts
var Trail = class {
  depth = 0;
  choice = new Int32Array(256);
  process = new Int32Array(256);
  /** Number of the event among those of its process, from 1. */
  index = new Int32Array(256);
  /** cells.ts. */
  touched = new Int32Array(256);
  own = [];
  /** Some event has read an own store. */
  anyOwn = false;
  /** Of event d: clocks[d * width + slot]. */
  clocks;
  width = 4;
  /** Of the process of event d. */
  slot = new Int32Array(256);
  /** Races (earlier event) of event d: raceAt[d] .. raceAt[d + 1]. */
  raceAt = new Int32Array(257);
  races = new Int32Array(256);
  processes;
  /** Stores drained so far, by vCPU. */
  drained;
  /** Writes to code by event d, and all of them: of each the event. */
  codeWrites = new Uint8Array(256);
  codeWriters = [];
  #slotOf;
  #slots = 0;
  #cells;
  #fault;
  #heads;
  #last;
  #previous = new Int32Array(256);
  #fenceAfter = new Uint8Array(256);
  /** Stores enqueued so far by vCPU, and by which event each was (-1: before the first). */
  #enqueued;
  #enqueuer = [];
  #added = new Int32Array(256);
  /** Accesses by granule, newest first. */
  #nodeAt = new Int32Array(257);
  #nodeEvent = new Int32Array(1024);
  #nodeGranule = new Int32Array(1024);
  #nodeCell = new Int32Array(1024);
  #nodePrevious = new Int32Array(1024);
  #nodes = 0;
  /** Loads that were forwarded, by vCPU, newest first: event, cell, store. */
  #forwards = [];
  /** Events that come before the one that is looked at, latest first: 2 e, or 2 e + 1: it may be a race. */
  #preds = new Int32Array(64);
  #predCount = 0;
  /** @param granules of memory and resources */
  constructor(vcpus, granules, cells, fault) {
    this.#fault = fault;
    this.processes = vcpus * 2;
    this.clocks = new Int32Array(256 * this.width);
    this.#slotOf = new Int32Array(this.processes).fill(-1);
    this.#cells = cells;
    this.#heads = new Int32Array(granules).fill(-1);
    this.#last = new Int32Array(this.processes).fill(-1);
    this.drained = new Int32Array(vcpus);
    this.#enqueued = new Int32Array(vcpus);
    for (let v = 0; v < vcpus; v++) {
      this.#enqueuer.push(new Int32Array(64));
      this.#forwards.push([]);
    }
  }
  /** Fetch d, which has used no more than the first `seen` writes to code, comes after a later one all the same: it is stale. */
  isStale(d, seen) {
    for (let k = seen; k < this.codeWriters.length; k++) if (this.before(this.codeWriters[k], d)) return true;
    return false;
  }
  /** Whether event `a` happens before event `b` (or is it). */
  before(a, b) {
    return this.clocks[b * this.width + this.slot[a]] >= this.index[a];
  }
  /** The last event of a vCPU; -1: none. */
  lastOf(vcpu) {
    return this.#last[vcpu * 2];
  }
  /** The event of the same process before event d; -1: none. */
  previousOf(d) {
    return this.#previous[d];
  }
  /** Stores that `vcpu` has enqueued before the first event. */
  startWith(vcpu, stores) {
    this.#enqueue(vcpu, stores, -1);
  }
  /**
   * Appends the event that `choice` was; `cells` has read its footprint.
   * @param stores enqueued by it; @param fenced it needed the own stores before to have drained
   * @param alone it ran while nobody else could: it comes after everything
   */
  push(choice, stores, fenced, alone) {
    const d = this.depth;
    if (d + 2 > this.choice.length) this.#grow();
    const cells = this.#cells;
    const process2 = processOf(choice);
    const vcpu = process2 >> 1;
    const previous = this.#last[process2];
    this.#process = process2;
    this.choice[d] = choice;
    this.process[d] = process2;
    this.slot[d] = this.#slotOf[process2] < 0 ? this.#makeSlot(process2) : this.#slotOf[process2];
    this.index[d] = previous < 0 ? 1 : this.index[previous] + 1;
    this.#previous[d] = previous;
    this.#predCount = 0;
    if (previous >= 0) this.#order(previous, false);
    let own = null;
    if (alone) {
      for (let p = 0; p < this.processes; p++) if (this.#last[p] >= 0) this.#order(this.#last[p], false);
    } else if ((process2 & 1) === 1) {
      const enqueuer = this.#enqueuer[vcpu][this.drained[vcpu]];
      if (enqueuer >= 0) this.#order(enqueuer, false);
    } else if (fenced || cells.fenceBefore || previous >= 0 && this.#fenceAfter[previous] !== 0) {
      const drain = this.#last[process2 + 1];
      if (drain >= 0) this.#order(drain, false);
    }
    if (!alone) own = this.#orderAccesses(vcpu);
    const used = cells.codeSeen - 1;
    if (used >= 0 && used < this.codeWriters.length && this.#fault !== "no-fetch-order") this.#order(this.codeWriters[used], false);
    this.touched[d] = cells.number();
    this.own[d] = own;
    if (own !== null) this.anyOwn = true;
    this.#fenceAfter[d] = cells.fenceAfter ? 1 : 0;
    this.#setClock(d);
    this.#nodeAt[d] = this.#nodes;
    if (!alone) this.#addNodes(d, process2);
    this.codeWrites[d] = cells.codeWrites;
    for (let k = 0; k < cells.codeWrites; k++) this.codeWriters.push(d);
    if ((process2 & 1) === 1) this.drained[vcpu]++;
    this.#added[d] = stores;
    this.#enqueue(vcpu, stores, d);
    this.#last[process2] = d;
    this.depth = d + 1;
  }
  pop() {
    const d = --this.depth;
    const process2 = this.process[d];
    const vcpu = process2 >> 1;
    if (this.codeWrites[d] > 0) this.codeWriters.length -= this.codeWrites[d];
    this.#last[process2] = this.#previous[d];
    this.#enqueued[vcpu] -= this.#added[d];
    if ((process2 & 1) === 1) this.drained[vcpu]--;
    while (this.#nodes > this.#nodeAt[d]) {
      this.#nodes--;
      this.#heads[this.#nodeGranule[this.#nodes]] = this.#nodePrevious[this.#nodes];
    }
    const forwards = this.#forwards[vcpu];
    while (forwards.length > 0 && forwards[forwards.length - 3] === d) forwards.length -= 3;
  }
  /** Of the event that is looked at. */
  #process = 0;
  #enqueue(vcpu, stores, event) {
    for (let k = 0; k < stores; k++) {
      const at = this.#enqueued[vcpu]++;
      if (at === this.#enqueuer[vcpu].length) this.#enqueuer[vcpu] = grown2(this.#enqueuer[vcpu]);
      this.#enqueuer[vcpu][at] = event;
    }
  }
  /** Event `e` comes before the new one; `candidate`: the two may be a race. */
  #order(e, candidate) {
    if (this.#predCount === this.#preds.length) this.#preds = grown2(this.#preds);
    const preds = this.#preds;
    const pred = e * 2 + (candidate ? 1 : 0);
    let at = this.#predCount;
    while (at > 0 && preds[at - 1] < pred) at--;
    if (at > 0 && preds[at - 1] === pred) return;
    for (let k = this.#predCount++; k > at; k--) preds[k] = preds[k - 1];
    preds[at] = pred;
  }
  /** Conflicts of the cells that were read last with the accesses so far. */
  #orderAccesses(vcpu) {
    const cells = this.#cells;
    this.#ownCells = null;
    for (let k = 0; k < cells.count; k++) {
      const cell = cells.cells[k];
      if (cells.sources[k] >= 0) {
        this.#noteOwn(cell, this.drained[vcpu] + cells.sources[k], k);
        continue;
      }
      const granule = cellGranule(cell);
      const mask2 = cellMask(cell);
      const kind = cellKind(cell);
      let need = mask2;
      let others = mask2;
      for (let node = this.#heads[granule]; node >= 0 && need !== 0; node = this.#nodePrevious[node]) {
        const other = this.#nodeCell[node];
        const bytes = cellMask(other) & need;
        if (bytes === 0) continue;
        const event = this.#nodeEvent[node];
        const process2 = this.process[event];
        const own = process2 >> 1 === vcpu;
        if (kind === CELL_STALE_FETCH) {
          if (own && (process2 & 1) === 1 && cellKind(other) === CELL_WRITE) this.#order(event, false);
          continue;
        }
        if (cellKind(other) === CELL_WRITE) {
          need &= ~bytes;
          if (!own) this.#order(event, true);
          else if ((process2 & 1) === 1) {
            if (kind === CELL_MEMORY_READ && this.#fault !== "no-walk-drains") this.#order(event, true);
            else if (kind === CELL_FETCH) this.#order(event, false);
            else if (kind === CELL_READ) {
              others &= ~bytes;
              this.#noteOwn(makeCell(granule, bytes, CELL_READ), this.#storeOf(event), k);
            }
          } else if (kind === CELL_WRITE) this.#order(event, (this.#process & 1) === 1 && this.#enqueuedBefore(vcpu, event));
        } else if (kind === CELL_WRITE) {
          if (!own) this.#order(event, true);
          else if (cellKind(other) === CELL_MEMORY_READ && this.#fault !== "no-walk-drains") this.#order(event, true);
        }
      }
      if (this.#ownCells !== null && others !== 0) this.#noteOwn(makeCell(granule, others, kind), -1, k);
    }
    return this.#ownCells === null ? null : { cells: Int32Array.from(this.#ownCells), stores: Int32Array.from(this.#ownStores) };
  }
  /** Cells of the event that is looked at, from the first that reads an own store on. */
  #ownCells = null;
  #ownStores = [];
  /** Cell number `before` of the event reads own store `store` (-1: none). */
  #noteOwn(cell, store, before2) {
    if (this.#ownCells === null) {
      this.#ownCells = Array.from(this.#cells.cells.subarray(0, before2));
      this.#ownStores = this.#ownCells.map(() => -1);
    }
    this.#ownCells.push(cell);
    this.#ownStores.push(store);
  }
  /** The store of `vcpu` that drains next was enqueued before its event `e`. */
  #enqueuedBefore(vcpu, e) {
    return this.#enqueuer[vcpu][this.drained[vcpu]] < e;
  }
  /** Which store of its vCPU the drain `event` was. */
  #storeOf(event) {
    return this.index[event] - 1;
  }
  /** Sets the clock of event d, and finds its races: conflicts that no third event lies between. */
  #setClock(d) {
    const { width, clocks, index, slot } = this;
    const slots = this.#slots;
    const preds = this.#preds;
    const count = this.#predCount;
    const at = d * width;
    let races = this.raceAt[d];
    for (let s = 0; s < slots; s++) clocks[at + s] = 0;
    for (let k = 0; k < count; k++) {
      const e = preds[k] >> 1;
      if (clocks[at + slot[e]] >= index[e]) continue;
      const from = e * width;
      for (let s = 0; s < slots; s++) {
        const events = clocks[from + s];
        if (events > clocks[at + s]) clocks[at + s] = events;
      }
      if ((preds[k] & 1) === 0 || k + 1 < count && preds[k + 1] === preds[k] - 1) continue;
      if (races === this.races.length) this.races = grown2(this.races);
      this.races[races++] = e;
    }
    clocks[at + slot[d]] = index[d];
    this.raceAt[d + 1] = races;
  }
  /** The first event of a process: nothing that was before comes after one. */
  #makeSlot(process2) {
    const slot = this.#slots++;
    this.#slotOf[process2] = slot;
    if (slot === this.width) {
      const { width, clocks } = this;
      this.width *= 2;
      this.clocks = new Int32Array(clocks.length * 2);
      for (let d = 0; d < this.depth; d++) for (let s = 0; s < width; s++) this.clocks[d * this.width + s] = clocks[d * width + s];
    }
    for (let d = 0; d < this.depth; d++) this.clocks[d * this.width + slot] = 0;
    return slot;
  }
  #addNodes(d, process2) {
    const cells = this.#cells;
    const vcpu = process2 >> 1;
    for (let k = 0; k < cells.count; k++) {
      if (cells.sources[k] >= 0) {
        this.#forwards[vcpu].push(d, cells.cells[k], this.drained[vcpu] + cells.sources[k]);
        continue;
      }
      if (cellKind(cells.cells[k]) === CELL_STALE_FETCH) continue;
      this.#addNode(d, cells.cells[k]);
      if ((process2 & 1) === 1) this.#readersOf(vcpu, this.drained[vcpu], cells.cells[k]);
    }
  }
  /** Loads that were forwarded from the store that has just drained: writes of others from here on come after them. */
  #readersOf(vcpu, store, cell) {
    const forwards = this.#forwards[vcpu];
    const since = this.#enqueuer[vcpu][store];
    for (let at = forwards.length - 3; at >= 0 && forwards[at] >= since; at -= 3)
      if (forwards[at + 2] === store && sameGranule(forwards[at + 1], cell)) this.#addNode(forwards[at], forwards[at + 1]);
  }
  #addNode(event, cell) {
    const node = this.#nodes++;
    if (node === this.#nodeEvent.length) {
      this.#nodeEvent = grown2(this.#nodeEvent);
      this.#nodeGranule = grown2(this.#nodeGranule);
      this.#nodeCell = grown2(this.#nodeCell);
      this.#nodePrevious = grown2(this.#nodePrevious);
    }
    const granule = cellGranule(cell);
    this.#nodeEvent[node] = event;
    this.#nodeGranule[node] = granule;
    this.#nodeCell[node] = cell & 127;
    this.#nodePrevious[node] = this.#heads[granule];
    this.#heads[granule] = node;
  }
  #grow() {
    this.choice = grown2(this.choice);
    this.process = grown2(this.process);
    this.slot = grown2(this.slot);
    this.index = grown2(this.index);
    this.touched = grown2(this.touched);
    this.clocks = grown2(this.clocks);
    this.raceAt = grown2(this.raceAt);
    this.#previous = grown2(this.#previous);
    this.#added = grown2(this.#added);
    this.#nodeAt = grown2(this.#nodeAt);
    this.#fenceAfter = grownFlags(this.#fenceAfter);
    this.codeWrites = grownFlags(this.codeWrites);
  }
};

// src/explore/dpor/path.ts
var Path = class {
  machine;
  cells;
  trail;
  dependence;
  vcpus;
  fault;
  /** Number of events of the task's prefix, which stay. */
  floor = 0;
  /** Whether event d was carried out by the machine (an execution that an assumption cuts stays before it). */
  real = new Uint8Array(256);
  /** The machine's choice that event d was: in the trail stands its name (Reducible.identify). */
  actual = new Int32Array(256);
  /** The machine's step that it was. */
  stepAt = new Int32Array(256);
  /** It can block (Reducible.canBeBlocked). */
  blockable = new Uint8Array(256);
  /** Per vCPU: it goes no further in this execution, since event d (-1: it does). */
  stopped;
  stoppedCount = 0;
  violation = null;
  /** That leads to it. */
  schedule = null;
  /** Where it is a run that goes on for ever: from this choice on it goes round; -1: it is none. */
  cycleFrom = -1;
  constructor(machine, fault) {
    const vcpus = machine.vcpuCount;
    this.machine = machine;
    this.vcpus = vcpus;
    this.cells = new Cells(machine.granules);
    this.fault = fault;
    this.trail = new Trail(vcpus, machine.granules.memory + 2 + vcpus, this.cells, fault);
    this.dependence = new Dependence(this.cells, fault);
    this.stopped = new Int32Array(vcpus).fill(-1);
    for (let v = 0; v < vcpus; v++) this.trail.startWith(v, machine.bufferedStoresOf(v));
  }
  grow() {
    this.real = grownFlags(this.real);
    this.actual = grown2(this.actual);
    this.stepAt = grown2(this.stepAt);
    this.blockable = grownFlags(this.blockable);
  }
  /** `vcpu` goes no further, as event d shows. */
  halt(vcpu, d) {
    this.stopped[vcpu] = d;
    this.stoppedCount++;
  }
  /** Event d is taken back. */
  unhalt(vcpu, d) {
    if (this.stopped[vcpu] !== d) return;
    this.stopped[vcpu] = -1;
    this.stoppedCount--;
  }
  /** The machine's choice of that name; -1: it is not enabled, or its vCPU goes no further. */
  locate(name) {
    if (choiceKind(name) !== DRAIN && this.stopped[choiceVcpu(name)] >= 0) return -1;
    return this.machine.locate(name);
  }
  /** EIP of the event that was taken last. */
  place() {
    return this.machine.eventBegins ? this.machine.eventRegisters[EIP] : -1;
  }
  /** Brings the machine to node e, and back to the end. */
  goBackTo(e) {
    for (let x = this.trail.depth - 1; x >= e; x--) if (this.real[x] === 1) this.machine.undo();
  }
  comeBackFrom(e) {
    for (let x = e; x < this.trail.depth; x++) {
      this.stepAt[x] = this.machine.step;
      if (this.real[x] === 1) this.machine.take(this.actual[x]);
    }
  }
  /** What the machine took up to node `to`. */
  choices(to = this.trail.depth) {
    const choices = [];
    for (let d = 0; d < to; d++) if (this.real[d] === 1) choices.push(this.actual[d]);
    return choices;
  }
  /** A violation was found. */
  fail(violation, schedule, cycleFrom = -1) {
    this.violation = violation;
    this.schedule = schedule;
    this.cycleFrom = cycleFrom;
  }
};

// src/explore/dpor/reversals.ts
var Reversals = class {
  #path;
  #sequence;
  #loops;
  constructor(path, sequence, loops) {
    this.#path = path;
    this.#sequence = sequence;
    this.#loops = loops;
  }
  /** The races of the events from `from` on. */
  reverseRaces(from) {
    const { trail, blockable } = this.#path;
    for (let d = from; d < trail.depth; d++)
      if (blockable[d] === 1) this.#reverseAwait(d);
      else for (let k = trail.raceAt[d]; k < trail.raceAt[d + 1]; k++) this.#reverse(trail.races[k], d);
  }
  /** `vcpu` waits to the end: plans the executions in which it came in time for what others have changed since. */
  reverseWait(vcpu) {
    if (this.#path.fault === "no-wait-reversal") return;
    const { machine, trail, cells, real } = this.#path;
    const d = trail.depth;
    const run = packChoice(RUN, vcpu);
    const name = machine.identify(run);
    const fenced = machine.needsDrains(run);
    machine.take(run);
    cells.read(machine.footprint);
    machine.undo();
    real[d] = 0;
    trail.push(name, 0, fenced, false);
    this.#reverseAwait(d);
    trail.pop();
  }
  /**
   * Event d of a vCPU may be possible only after some of the writes that it conflicts with: plans the execution in
   * which it comes as late as it can, but before one of them.
   */
  #reverseAwait(d) {
    const { trail, cells } = this.#path;
    const vcpu = trail.process[d] >> 1;
    const previous = trail.previousOf(d);
    for (let e = d - 1; e >= 0; e--) {
      if (trail.process[e] >> 1 === vcpu || !cells.conflict(trail.touched[e], trail.touched[d]) || !trail.before(e, d)) continue;
      if (previous >= 0 && trail.before(e, previous)) continue;
      if (this.#reverse(e, d)) return;
    }
  }
  /**
   * Plans an execution in which event `d` comes before event `e`, unless one is explored or planned already.
   * False: `d` is not possible there.
   */
  #reverse(e, d) {
    const { trail, floor, blockable, real, fault } = this.#path;
    if (e < floor) return true;
    if (fault === "lost-race" && (d & 3) === 3) return true;
    if (fault === "no-drain-race" && (trail.process[d] & 1) === 1 && (trail.process[e] & 1) === 0) return true;
    const sequence = this.#sequence;
    sequence.reverse(e, d);
    if ((blockable[d] === 1 || real[d] === 0) && !this.#reaches(e)) return false;
    if (!sequence.isExplored(e, true)) sequence.insert(e);
    return true;
  }
  /** Whether the sequence can be carried out from node `e`, by trying. */
  #reaches(e) {
    const { machine, trail, stepAt } = this.#path;
    const { events, length } = this.#sequence;
    this.#path.goBackTo(e);
    let taken = 0;
    let possible = true;
    for (let k = 0; k < length && possible; k++) {
      const choice = machine.locate(trail.choice[events[k]] & ~FORKED);
      possible = choice >= 0;
      if (!possible) break;
      if (k === length - 1) {
        const vcpu = choiceVcpu(choice);
        const outcome = machine.take(choice);
        this.#loops.note(trail.depth, machine.quiet);
        const previous = trail.previousOf(events[k]);
        possible = outcome !== 0 || !machine.quiet || !machine.canContinue(vcpu) || !this.#loops.closesTurn(trail.depth, previous, vcpu);
        machine.undo();
        break;
      }
      taken++;
      stepAt[events[k]] = machine.step;
      if (machine.take(choice) !== 0) break;
    }
    while (taken-- > 0) machine.undo();
    this.#path.comeBackFrom(e);
    return possible;
  }
};

// src/explore/dpor/sleepSets.ts
var SleepSets = class {
  choice = new Int32Array(256);
  touched = new Int32Array(256);
  own = [];
  /** Entries of node d: from[d] .. to[d]; before free[d] they sleep freely. */
  from = new Int32Array(257);
  to = new Int32Array(257);
  free = new Int32Array(257);
  /** Before since[d]: since the task began. */
  #since = new Int32Array(257);
  /** Who sleeps at node d: bit v & 31 for vCPU v, and for its store buffer; and bits of what they read and write (Cells.readsOf). */
  #runs = new Int32Array(257);
  #drains = new Int32Array(257);
  #reads = new Int32Array(257);
  #writes = new Int32Array(257);
  #path;
  constructor(path) {
    this.#path = path;
  }
  grow() {
    this.from = grown2(this.from);
    this.to = grown2(this.to);
    this.free = grown2(this.free);
    this.#since = grown2(this.#since);
    this.#runs = grown2(this.#runs);
    this.#drains = grown2(this.#drains);
    this.#reads = grown2(this.#reads);
    this.#writes = grown2(this.#writes);
  }
  /** What sleeps at the last node, which is d, began to before the task, another of which explores what begins with it. */
  begin(d) {
    this.#since[d] = this.free[d] = this.to[d];
  }
  /** At the last node, which is d, something is tried that no plan led to. */
  sleepFreely(d) {
    this.free[d] = this.to[d];
  }
  /** Event d, which was the last and has been taken back, sleeps at its node. */
  addBack(d) {
    const { trail } = this.#path;
    this.#add(d, trail.choice[d], trail.touched[d], trail.own[d]);
  }
  #add(d, choice, touched, own) {
    const { cells } = this.#path;
    const at = this.to[d]++;
    if (at === this.choice.length) {
      this.choice = grown2(this.choice);
      this.touched = grown2(this.touched);
    }
    this.choice[at] = choice;
    this.touched[at] = touched;
    this.own[at] = own;
    const process2 = processOf(choice);
    if ((process2 & 1) === 0) this.#runs[d] |= 1 << (process2 >> 1);
    else this.#drains[d] |= 1 << (process2 >> 1);
    this.#reads[d] |= cells.readsOf(touched);
    this.#writes[d] |= cells.writesOf(touched);
  }
  /** Who slept before event d and is independent of it sleeps on. */
  passOn(d) {
    const woken = this.#firstWoken(d);
    const to = this.to[d];
    if (woken === to) {
      this.from[d + 1] = this.from[d];
      this.to[d + 1] = to;
      this.free[d + 1] = this.free[d];
      this.#since[d + 1] = this.#since[d];
      this.#runs[d + 1] = this.#runs[d];
      this.#drains[d + 1] = this.#drains[d];
      this.#reads[d + 1] = this.#reads[d];
      this.#writes[d + 1] = this.#writes[d];
      return;
    }
    this.from[d + 1] = this.to[d + 1] = this.free[d + 1] = this.#since[d + 1] = to;
    this.#runs[d + 1] = this.#drains[d + 1] = this.#reads[d + 1] = this.#writes[d + 1] = 0;
    for (let k = this.from[d]; k < to; k++) {
      if (k === woken || k > woken && this.#wakes(d, k)) continue;
      this.#add(d + 1, this.choice[k], this.touched[k], this.own[k]);
      if (k < this.free[d]) this.free[d + 1]++;
      if (k < this.#since[d]) this.#since[d + 1]++;
    }
  }
  /** The first sleeper that event d wakes; to[d]: it wakes none. */
  #firstWoken(d) {
    const { trail, cells } = this.#path;
    const to = this.to[d];
    const touched = trail.touched[d];
    const writes = cells.writesOf(touched);
    const same = ((trail.process[d] & 1) === 0 ? this.#runs[d] : this.#drains[d]) & 1 << (trail.process[d] >> 1);
    if (same === 0 && (writes & (this.#reads[d] | this.#writes[d]) | cells.readsOf(touched) & this.#writes[d]) === 0) return to;
    let k = this.from[d];
    while (k < to && !this.#wakes(d, k)) k++;
    return k;
  }
  #wakes(d, k) {
    const { trail, dependence } = this.#path;
    if (this.#path.fault === "no-sleep-wakeup") return processOf(this.choice[k]) === trail.process[d];
    return dependence.clash(this.choice[k], this.touched[k], this.own[k], trail.choice[d], trail.touched[d], trail.own[d], trail.drained);
  }
  /** At the last node, which is d. */
  sleeps(d, choice) {
    return this.#find(d, choice) < this.to[d];
  }
  sleepsSinceBegin(d, choice) {
    return this.#since[d] > this.from[d] && this.#find(d, choice) < this.#since[d];
  }
  /** The choice sleeps, and others may wake it. */
  sleepsLightly(d, choice) {
    const k = this.#find(d, choice);
    return k < this.to[d] && this.#path.cells.concernsOthers(this.touched[k]);
  }
  /** Some choice of the process sleeps. */
  processSleeps(d, process2) {
    const bits = (process2 & 1) === 0 ? this.#runs[d] : this.#drains[d];
    if ((bits & 1 << (process2 >> 1)) === 0) return false;
    if (this.#path.vcpus <= 32) return true;
    for (let k = this.from[d]; k < this.to[d]; k++) if (processOf(this.choice[k]) === process2) return true;
    return false;
  }
  /** The entry of a choice; to[d]: none. */
  #find(d, choice) {
    const to = this.to[d];
    let k = this.from[d];
    while (k < to && (this.choice[k] & ~FORKED) !== choice) k++;
    return k;
  }
};

// src/explore/dpor/waits.ts
var Waits = class {
  /** A place was found where a vCPU waits: what was explored before took its turns for events. */
  grown = false;
  #path;
  /** Per node and vCPU: what it reads in vain there, if it waits (UNKNOWN: it does not). */
  #reads;
  /** Places (EIP) where a vCPU has waited, for all passes. */
  #places;
  constructor(path, places) {
    this.#path = path;
    this.#places = places;
    this.#reads = new Int32Array(257 * path.vcpus).fill(UNKNOWN);
  }
  /** @param nodes that there is room for from now on */
  grow(nodes) {
    const reads2 = new Int32Array((nodes + 1) * this.#path.vcpus).fill(UNKNOWN);
    reads2.set(this.#reads);
    this.#reads = reads2;
  }
  /** Vcpus wait at the place of the event that was taken last. */
  isPlace() {
    return this.#places.size > 0 && this.#places.has(this.#path.place());
  }
  /** `vcpu` reads in vain at node d what the cells hold. */
  add(d, vcpu) {
    this.#reads[d * this.#path.vcpus + vcpu] = this.#path.cells.waitNumber();
    const place = this.#path.place();
    if (this.#places.has(place)) return;
    this.#places.add(place);
    this.grown = true;
  }
  at(d, vcpu) {
    return this.#reads[d * this.#path.vcpus + vcpu] !== UNKNOWN;
  }
  /** Who waits at node d. */
  list(d) {
    const waiting = [];
    for (let v = 0; v < this.#path.vcpus; v++) if (this.at(d, v)) waiting.push(v);
    return waiting;
  }
  /** Who waited before event d for what it did not change waits on. */
  passOn(d) {
    if (this.#places.size === 0) return;
    const { trail, cells, vcpus } = this.#path;
    const from = d * vcpus;
    for (let v = 0; v < vcpus; v++) {
      const read = this.#reads[from + v];
      const goesOn = read === UNKNOWN || trail.process[d] >> 1 === v || cells.conflict(read, trail.touched[d]);
      this.#reads[from + vcpus + v] = goesOn ? UNKNOWN : read;
    }
  }
};

// src/explore/dpor/wakeupSequence.ts
var WakeupSequence = class {
  /** Slots of the trail. */
  events = new Int32Array(256);
  length = 0;
  /** By process: the place of its first event, where the stamp is that of this sequence. */
  #placeOf;
  #stampOf;
  #stamp = 0;
  #path;
  #tree;
  #sleep;
  /** Stores drained so far, by vCPU, for conflicts with forwarded loads. */
  #drained;
  constructor(path, tree, sleep) {
    this.#path = path;
    this.#tree = tree;
    this.#sleep = sleep;
    this.#drained = new Int32Array(path.vcpus);
    this.#placeOf = new Int32Array(path.vcpus * 2);
    this.#stampOf = new Int32Array(path.vcpus * 2);
  }
  /** Becomes empty, with room for all events of the execution and two more. */
  clear() {
    const { trail } = this.#path;
    if (this.events.length < trail.depth + 2) this.events = new Int32Array(trail.choice.length);
    this.length = 0;
    this.#stamp++;
  }
  add(event) {
    const process2 = this.#path.trail.process[event];
    if (this.#stampOf[process2] !== this.#stamp) {
      this.#stampOf[process2] = this.#stamp;
      this.#placeOf[process2] = this.length;
    }
    this.events[this.length++] = event;
  }
  /** Ends after its first `length` events. */
  cut(length) {
    const { process: process2 } = this.#path.trail;
    for (let k = length; k < this.length; k++) {
      const p = process2[this.events[k]];
      if (this.#placeOf[p] === k) this.#stampOf[p] = 0;
    }
    this.length = length;
  }
  /** Becomes what does not come after event e, of those behind it, with event d as the last. */
  reverse(e, d) {
    this.clear();
    const { depth, clocks, width, process: process2, slot, index } = this.#path.trail;
    const { events } = this;
    const stamp = this.#stamp;
    const since = index[e];
    let length = 0;
    for (let x = e + 1, at = x * width + slot[e]; x < depth; x++, at += width) {
      if (clocks[at] >= since || x === d) continue;
      const p = process2[x];
      if (this.#stampOf[p] !== stamp) {
        this.#stampOf[p] = stamp;
        this.#placeOf[p] = length;
      }
      events[length++] = x;
    }
    this.length = length;
    this.add(d);
  }
  /** It begins, at node e, with what sleeps there: it has been explored. @param whole what could wake who sleeps there is in it */
  isExplored(e, whole2) {
    const { from, to, free, choice, touched, own } = this.#sleep;
    if (from[e] === to[e]) return false;
    for (let k = from[e]; k < to[e]; k++) {
      this.#resetDrained(e);
      const first = this.#initial(choice[k], touched[k], own[k]);
      if (first >= 0 || first === INDEPENDENT && whole2 && k >= free[e]) return true;
    }
    return false;
  }
  /** Adds it to the wakeup tree of node `e`. */
  insert(e) {
    const tree = this.#tree;
    const { trail } = this.#path;
    this.#resetDrained(e);
    let parent = 0;
    let first = tree.first[e];
    for (; ; ) {
      let last = 0;
      let matched = 0;
      for (let node = first; node !== 0; node = tree.next[node]) {
        last = node;
        const at = this.#initial(tree.choice[node], tree.touched[node], tree.own[node]);
        if (at === CLASH) continue;
        if (at >= 0 && this.length === 1 || tree.child[node] === 0 && !tree.anyForked) return;
        if (at >= 0) this.#remove(at);
        matched = node;
        break;
      }
      if (matched === 0) {
        let at = last;
        for (let k = 0; k < this.length; k++) {
          const x = this.events[k];
          const node = tree.make(trail.choice[x], trail.touched[x], trail.own[x]);
          if (k === 0) {
            if (last !== 0) tree.next[last] = node;
            else if (parent !== 0) tree.child[parent] = node;
            else tree.first[e] = node;
          } else tree.child[at] = node;
          at = node;
        }
        return;
      }
      if (choiceKind(tree.choice[matched]) === DRAIN) this.#drained[choiceVcpu(tree.choice[matched])]++;
      parent = matched;
      first = tree.child[matched];
    }
  }
  #resetDrained(e) {
    const { trail } = this.#path;
    if (!trail.anyOwn) return;
    this.#drained.set(trail.drained);
    for (let x = e; x < trail.depth; x++) if ((trail.process[x] & 1) === 1) this.#drained[trail.process[x] >> 1]--;
  }
  /** Removes the first event of a process. */
  #remove(at) {
    const { process: process2 } = this.#path.trail;
    const { events } = this;
    const own = process2[events[at]];
    this.#stampOf[own] = 0;
    const length = --this.length;
    for (let k = at; k < length; k++) {
      const x = events[k + 1];
      const p = process2[x];
      events[k] = x;
      if (p !== own) {
        if (this.#placeOf[p] === k + 1) this.#placeOf[p] = k;
      } else if (this.#stampOf[p] === 0) {
        this.#stampOf[p] = this.#stamp;
        this.#placeOf[p] = k;
      }
    }
  }
  /** Place in the sequence of an event that may come first there; INDEPENDENT: it is not in it, and could go before it; CLASH. */
  #initial(choice, touched, own) {
    const { trail, dependence } = this.#path;
    const process2 = processOf(choice);
    const occurs = this.#stampOf[process2] === this.#stamp;
    const place = occurs ? this.#placeOf[process2] : this.length;
    if (occurs ? ((trail.choice[this.events[place]] ^ choice) & ~FORKED) !== 0 : (choice & FORKED) !== 0) return CLASH;
    if (touched === UNKNOWN && place > 0) return CLASH;
    if (touched !== NOTHING2 && place > 0) {
      if (trail.anyOwn) {
        if (this.#clashes(choice, touched, own, place)) return CLASH;
      } else {
        for (let k = place - 1; k >= 0; k--) {
          const x = this.events[k];
          if (dependence.clash(choice, touched, null, trail.choice[x], trail.touched[x], null, this.#drained)) return CLASH;
        }
      }
    }
    return occurs ? place : INDEPENDENT;
  }
  /** Whether the event is dependent on one of the first `count` of the sequence, where loads see own stores. */
  #clashes(choice, touched, own, count) {
    const { trail, dependence } = this.#path;
    const drained = this.#drained;
    let result = false;
    let passed = 0;
    for (; passed < count && !result; passed++) {
      const x = this.events[passed];
      result = dependence.clash(choice, touched, own, trail.choice[x], trail.touched[x], trail.own[x], drained);
      if ((trail.process[x] & 1) === 1) drained[trail.process[x] >> 1]++;
    }
    for (let k = 0; k < passed; k++) {
      const x = this.events[k];
      if ((trail.process[x] & 1) === 1) drained[trail.process[x] >> 1]--;
    }
    return result;
  }
};
var INDEPENDENT = -1;
var CLASH = -2;

// src/explore/dpor/wakeupTree.ts
var WakeupTree = class {
  /** Per node of the execution: the first of what is planned from there; 0: nothing. */
  first = new Int32Array(256);
  /** Some event could have gone another way. */
  anyForked = false;
  choice = new Int32Array(256);
  /** cells.ts; UNKNOWN: the event has not been seen yet. */
  touched = new Int32Array(256);
  own = [];
  /** First child and next sibling; 0: none. */
  child = new Int32Array(256);
  next = new Int32Array(256);
  #free = 0;
  #used = 1;
  make(choice, touched, own) {
    let node = this.#free;
    if (node !== 0) this.#free = this.next[node];
    else {
      node = this.#used++;
      if (node === this.choice.length) {
        this.choice = grown2(this.choice);
        this.touched = grown2(this.touched);
        this.child = grown2(this.child);
        this.next = grown2(this.next);
      }
    }
    this.choice[node] = choice;
    this.touched[node] = touched;
    this.own[node] = own;
    this.child[node] = 0;
    this.next[node] = 0;
    return node;
  }
  /** Room for twice as many nodes of the execution. */
  grow() {
    this.first = grown2(this.first);
  }
  /** `list` before `rest`. */
  splice(list, rest) {
    if (list === 0) return rest;
    let last = list;
    while (this.next[last] !== 0) last = this.next[last];
    this.next[last] = rest;
    return list;
  }
  free(node) {
    this.next[node] = this.#free;
    this.#free = node;
  }
  /** Frees the nodes of a list of siblings and all below them. */
  freeAll(first) {
    while (first !== 0) {
      const next = this.next[first];
      this.freeAll(this.child[first]);
      this.free(first);
      first = next;
    }
  }
};

// src/explore/dpor/pass.ts
var SLICE_EVENTS = 65536;
var EVENTS_BETWEEN_CHECKS = 1024;
var LEARN_EVENTS = 256;
var DEPTH_MAX = 1e5;
var Pass = class {
  counts = { complete: 0, cut: 0, discarded: 0, redundant: 0, endless: 0 };
  orders = new Orders();
  events = 0;
  #machine;
  #options;
  #started;
  #path;
  #tree = new WakeupTree();
  #sleep;
  #waits;
  #loops;
  #budgets;
  #chooser;
  #reversals;
  #openWays;
  #returns;
  /** Per node: some event has been explored from there, and choices whose executions are all explored. */
  #expanded = new Uint8Array(256);
  #finished = new Int32Array(256);
  /** Events from here on are new since the last execution ended. */
  #newFrom = 0;
  /** In some execution a vCPU works in a loop for ever. */
  #endless = false;
  #entering = true;
  #over = false;
  #problem = null;
  #unreducible;
  constructor(machine, options, started, waitPlaces) {
    this.#machine = machine;
    this.#options = options;
    this.#started = started;
    const path = new Path(machine, options.fault);
    this.#path = path;
    this.#sleep = new SleepSets(path);
    this.#waits = new Waits(path, waitPlaces);
    this.#loops = new Loops(path);
    this.#budgets = new Budgets(path, options);
    this.#chooser = new Chooser(path, this.#tree, this.#sleep, this.#waits, this.#budgets);
    const sequence = new WakeupSequence(path, this.#tree, this.#sleep);
    this.#reversals = new Reversals(path, sequence, this.#loops);
    this.#openWays = new OpenWays(path, sequence, this.#chooser);
    this.#returns = new Returns(isLive(machine) && options.makeAside || null);
    const granules = machine.granules.memory + 2 + machine.vcpuCount;
    this.#unreducible = machine.unreducible ?? (granules > GRANULES_MAX ? "dpor does not handle so much memory; use --engine graph" : null);
    if (machine.violation !== null) this.#violated([]);
    else if (options.task !== void 0 && this.#unreducible === null) this.#start(options.task);
  }
  #start({ prefix, sleep }) {
    for (const choice of prefix) {
      if (this.#over || !this.#enter(choice)) throw new Error("the prefix of a task cannot be carried out");
    }
    const floor = this.#path.trail.depth;
    this.#noteOrders(0);
    this.#path.floor = floor;
    this.#newFrom = floor;
    for (const choice of sleep) {
      if (!this.#enter(choice)) throw new Error("what sleeps in a task is not enabled there");
      if (this.#over) return;
      if (this.#path.trail.depth > floor) this.#back();
    }
    this.#sleep.begin(floor);
    this.#expanded[floor] = 0;
    this.#finished[floor] = 0;
    this.#chooser.more[floor] = 0;
    this.#entering = true;
    this.events = 0;
  }
  /** Takes a choice of the machine's that nothing is planned below. False: it is not enabled. */
  #enter(actual) {
    const d = this.#path.trail.depth;
    this.#makeRoom(d);
    const { choices } = this.#chooser;
    const count = this.#machine.enabled(choices);
    if (!choices.subarray(0, count).includes(actual)) return false;
    const name = this.#machine.identify(actual);
    if (this.#path.locate(name) !== actual) return false;
    const forked = choiceKind(name) !== DRAIN && this.#machine.alternatives(choiceVcpu(name)) > 1;
    this.#take(forked ? name | FORKED : name, actual, d, 0);
    return true;
  }
  split() {
    const tasks = [];
    const { floor: d, trail, actual } = this.#path;
    if (this.#over || this.#unreducible !== null) return tasks;
    const names2 = this.#chooser.choices.slice(0, this.#chooser.list(d));
    for (const name of names2) {
      const choice = this.#path.locate(name);
      if (choice < 0 || !this.#chooser.goesOn(d, name) || this.#sleep.sleeps(d, name)) continue;
      this.#enter(choice);
      if (this.#over || this.grown) return [];
      if (trail.depth === d) continue;
      const prefix = [...actual.subarray(0, d + 1)];
      const asleep = this.#sleep.choice.subarray(this.#sleep.from[d + 1], this.#sleep.to[d + 1]);
      tasks.push({ prefix, sleep: Array.from(asleep, (one) => this.#path.locate(one & ~FORKED)).filter((one) => one >= 0) });
      this.#back();
    }
    return tasks;
  }
  /** By Knuth's estimate: at every node of the present execution the known choices weigh the same. */
  get done() {
    if (this.#over) return 1;
    const { floor, trail } = this.#path;
    let done = 0;
    let weight = 1;
    for (let d = floor; d <= trail.depth; d++) {
      let known = this.#finished[d] + (d < trail.depth ? 1 : 0);
      for (let node = this.#tree.first[d]; node !== 0; node = this.#tree.next[node]) known++;
      if (known === 0) break;
      done += weight * this.#finished[d] / known;
      weight /= known;
    }
    return done;
  }
  stop(problem) {
    this.#problem ??= problem;
    this.#over = true;
  }
  advance() {
    const until = this.events + (this.#options.sliceEvents ?? SLICE_EVENTS);
    let check = this.events + EVENTS_BETWEEN_CHECKS;
    if (!this.#over) this.#checkLimits();
    while (!this.#over) {
      if (this.#unreducible !== null) break;
      if (!this.#step()) break;
      if (this.grown && this.#learntEnough()) return "grown";
      if (this.events >= check) {
        this.#checkLimits();
        check = this.events + EVENTS_BETWEEN_CHECKS;
      }
      if (this.events >= until && !this.#over) return "paused";
    }
    if (this.grown && this.#problem === null) return "grown";
    this.#over = true;
    return "over";
  }
  /**
   * Goes on for a while with what it has just learnt before it starts again: shared memory rarely comes alone. What it finds
   * from then on is not evidence: stores that took the memory for private have overtaken those in the buffer.
   */
  #learntEnough() {
    if (this.#learnUntil < 0) this.#learnUntil = this.events + Math.max(LEARN_EVENTS, this.events >> 1);
    return this.events >= this.#learnUntil || this.#machine.unreducible !== null;
  }
  #learnUntil = -1;
  /** What was explored so far took accesses or waits for something else than they are. */
  get grown() {
    return this.#machine.sharing.grown || this.#waits.grown;
  }
  verdict(problem) {
    const { weaknesses } = this.#machine;
    const { violation, schedule, cycleFrom } = this.#path;
    const { pruned, bounds } = this.#budgets;
    const { discarded, redundant, cut, endless } = this.counts;
    const problems = [problem, this.#problem, this.#unreducible, endless === 0 ? null : describeEndless(endless)].filter((one) => one !== null);
    const common = {
      bounds: {},
      states: this.events + 1,
      executions: this.counts.complete,
      events: this.events,
      seconds: (performance.now() - this.#started) / 1e3,
      engine: "dpor",
      cost: null,
      orders: { pairs: this.orders.pairs, both: this.orders.both },
      others: { discarded, redundant, cut, endless }
    };
    if (violation !== null && !this.grown) return { ...common, verdict: "violated", strength: "complete", reasons: [], violation, schedule, ...cycleFrom < 0 ? {} : { cycleFrom } };
    const unfinished = problems.length > 0 || !this.#over;
    return {
      ...common,
      bounds: pruned ? bounds : {},
      ...this.#endless || pruned ? { liveness: { covered: "none", text: pruned ? "not judged: executions beyond the bounds were left out" : "not judged: a vCPU goes on in a loop for ever" } } : {},
      verdict: unfinished ? "unknown" : "holds",
      strength: unfinished || weaknesses.size > 0 || pruned ? "bounded" : "complete",
      reasons: [...problems, ...weaknesses],
      violation: null,
      schedule: null
    };
  }
  /** One event further, or back. False: everything is explored. */
  #step() {
    const tree = this.#tree;
    const d = this.#path.trail.depth;
    let only = PLANNED;
    if (this.#entering) {
      this.#makeRoom(d);
      this.#entering = false;
      if (tree.first[d] === 0 && this.#expanded[d] === 0) {
        only = this.#returns.node === d ? NOBODY2 : this.#chooser.choose(d);
        if (only === NOBODY2) {
          this.#end();
          return !this.#over && this.#back();
        }
      }
    }
    if (only < 0 && tree.first[d] === 0 && this.#chooser.more[d] === 1) only = this.#chooser.choose(d);
    if (only >= 0) {
      this.#take(only, only, d, 0);
      return true;
    }
    const node = tree.first[d];
    if (node === 0) return this.#back();
    tree.first[d] = tree.next[node];
    let choice = tree.choice[node] & ~FORKED;
    const planned = tree.touched[node] !== UNKNOWN;
    const below = tree.child[node];
    tree.free(node);
    if (this.#sleep.sleepsSinceBegin(d, choice)) {
      tree.freeAll(below);
      this.#entering = true;
      return true;
    }
    if (this.#budgets.forbids(d, choice)) {
      this.#budgets.pruned = true;
      tree.freeAll(below);
      return true;
    }
    const actual = this.#path.locate(choice);
    if (actual < 0) {
      tree.first[d] = tree.splice(below, tree.first[d]);
      return true;
    }
    if (choiceKind(choice) !== DRAIN && this.#machine.alternatives(choiceVcpu(choice)) > 1) {
      if (planned) this.#chooser.addAlternatives(choice, d);
      choice |= FORKED;
      tree.anyForked = true;
    }
    this.#take(choice, actual, d, below);
    return true;
  }
  #take(choice, actual, d, below) {
    const machine = this.#machine;
    const path = this.#path;
    const { trail, cells } = path;
    const vcpu = choiceVcpu(choice);
    const drain = choiceKind(choice) === DRAIN;
    const running = machine.running();
    const before2 = machine.bufferedStoresOf(vcpu);
    const eip = machine.registersOf(vcpu)[EIP] >>> 0;
    const fenced = !drain && machine.needsDrains(actual);
    path.blockable[d] = !drain && machine.canBeBlocked(actual) ? 1 : 0;
    path.actual[d] = actual;
    path.stepAt[d] = machine.step;
    this.#openWays.note(d, choice, before2);
    const outcome = machine.take(actual);
    this.events++;
    cells.read(machine.footprint);
    if (machine.polls) this.#unreducible = "dpor does not handle XM_POLL; use --engine graph";
    if (cells.lifetime) this.#unreducible = "dpor does not handle XM_FREE, XM_ALLOC, XM_RELEASE, XM_BUILDING and XM_BUILT; use --engine graph";
    if (outcome === 1 && !this.#budgets.forbidsFetch(choice, d, fenced)) return this.#violated([...path.choices(), actual]);
    const cut = outcome >= 1;
    const quiet = !drain && outcome === 0 && machine.quiet && running && machine.running() && machine.canContinue(vcpu);
    if (!drain) this.#loops.note(d, quiet);
    if (!drain && this.#waits.isPlace()) path.blockable[d] = 1;
    if (quiet && this.#loops.closesTurn(d, trail.lastOf(vcpu), vcpu)) {
      this.#waits.add(d, vcpu);
      machine.undo();
      this.#tree.freeAll(below);
      if (this.#chooser.canInterrupt(vcpu)) this.#chooser.more[d] = 1;
      this.#entering = true;
      return;
    }
    const stores = drain || cut ? 0 : machine.bufferedStoresOf(vcpu) - before2;
    if (cut) {
      machine.undo();
      path.halt(vcpu, d);
    }
    path.real[d] = cut ? 0 : 1;
    trail.push(choice, stores, fenced, !running);
    this.#entering = true;
    if (!this.#budgets.count(d, choice)) {
      this.#takeBack(d, vcpu);
      this.#budgets.pruned = true;
      this.#tree.freeAll(below);
      this.#sleep.addBack(d);
      return;
    }
    this.#expanded[d] = 1;
    this.#expanded[d + 1] = 0;
    this.#finished[d + 1] = 0;
    this.#chooser.more[d + 1] = 0;
    this.#sleep.passOn(d);
    this.#waits.passOn(d);
    this.#tree.first[d + 1] = below;
    if (!drain && !cut && below === 0 && machine.registersOf(vcpu)[EIP] >>> 0 <= eip) this.#returns.note(d + 1, machine.store);
    if (d + 2 > DEPTH_MAX) this.stop(`an execution of more than ${DEPTH_MAX} events`);
  }
  /** Goes back over the last event, which sleeps from now on; and on to where something is left to explore. False: nowhere. */
  #back() {
    const { trail, floor } = this.#path;
    const { first } = this.#tree;
    const { more } = this.#chooser;
    for (; ; ) {
      if (trail.depth === floor) return false;
      const d = trail.depth - 1;
      this.#finished[d]++;
      this.#takeBack(d, choiceVcpu(trail.choice[d]));
      if (d < this.#newFrom) this.#newFrom = d;
      if (first[d] === 0 && more[d] === 0 && d > floor) continue;
      this.#sleep.addBack(d);
      return true;
    }
  }
  #takeBack(d, vcpu) {
    const path = this.#path;
    if (path.real[d] === 1) this.#machine.undo();
    path.unhalt(vcpu, d);
    path.trail.pop();
    this.#returns.backTo(d);
  }
  /** The execution ends here: plans the reversals of its races. */
  #end() {
    const { trail } = this.#path;
    const node = trail.depth;
    const ending = this.#returns.node === node ? "endless" : this.#ending(node);
    if (ending === "deadlock") return;
    this.counts[ending]++;
    this.#options.onEnd?.(ending, this.#path.choices());
    this.#lookForLivelock(ending);
    this.#reversals.reverseRaces(this.#newFrom);
    this.#openWays.reverse(this.#newFrom);
    this.#noteOrders(this.#newFrom);
    if (this.#path.violation !== null) {
      this.#over = true;
      return;
    }
    this.#newFrom = trail.depth;
    for (const vcpu of this.#waits.list(node)) this.#reversals.reverseWait(vcpu);
  }
  #lookForLivelock(ending) {
    const returns = this.#returns;
    if (isLive(this.#machine)) returns.noteEnd(this.#machine);
    if (ending === "endless") returns.judge(this.#path.choices(), this.#path.choices(returns.from).length);
    const found2 = returns.livelock;
    if (found2 !== null) this.#path.fail(found2.violation, found2.lasso.schedule, found2.lasso.from);
  }
  #ending(node) {
    if (this.#chooser.someAsleep) return "redundant";
    if (this.#path.stoppedCount > 0 || this.#chooser.someOverBudget) return "cut";
    const waiting = this.#waits.list(node);
    if (waiting.length === 0) return "complete";
    const fates = waiting.map((v) => this.#loops.fateOf(v));
    if (fates.includes("leaves")) return "discarded";
    if (!fates.includes("waits")) {
      this.#endless = true;
      return "complete";
    }
    const machine = this.#machine;
    const who = waiting.map((v) => `vCPU ${v} at ${machine.symbolize(machine.registersOf(v)[EIP])}`);
    const eip = machine.registersOf(waiting[0])[EIP] >>> 0;
    const message = `nobody can go on: ${who.join("; ")} in a loop that waits for others`;
    this.#path.fail({ kind: "deadlock", message, vcpu: waiting[0], eip }, this.#path.choices());
    this.#over = true;
    return "deadlock";
  }
  /** Of the events from `from` on. */
  #noteOrders(from) {
    const { trail, cells } = this.#path;
    const { process: process2, touched, races, raceAt } = trail;
    for (let d = from; d < trail.depth; d++)
      for (let k = raceAt[d]; k < raceAt[d + 1]; k++) {
        const e = races[k];
        this.orders.noteAccesses(process2[e], cells.first(touched[e]), process2[d], cells.first(touched[d]));
      }
  }
  #violated(schedule) {
    this.#path.fail(this.#machine.violation, schedule);
    this.#over = true;
  }
  #checkLimits() {
    const { seconds, events, memory } = this.#options;
    if (memory?.isOver() === true) this.stop(memory.reason);
    if (seconds !== void 0 && (performance.now() - this.#started) / 1e3 > seconds) this.stop("the time was over");
    if (events !== void 0 && this.events > events) this.stop("the limit of events was reached");
  }
  /** Room for node d and what follows from an event there. */
  #makeRoom(d) {
    if (d + 2 <= this.#finished.length) return;
    this.#finished = grown2(this.#finished);
    this.#expanded = grownFlags(this.#expanded);
    for (const one of [this.#path, this.#tree, this.#sleep, this.#budgets, this.#chooser, this.#openWays]) one.grow();
    this.#waits.grow(this.#finished.length);
  }
};

// src/explore/dpor/search.ts
var PASSES_MAX = 1e3;
var DporSearch = class {
  #makeMachine;
  #options;
  #started = performance.now();
  #machine;
  #pass;
  #waitPlaces;
  /** It stopped because it has to start again. */
  grown = false;
  #passes = 1;
  #problem = null;
  constructor(makeMachine, options = {}) {
    this.#makeMachine = makeMachine;
    this.#options = options;
    this.#waitPlaces = options.waitPlaces ?? /* @__PURE__ */ new Set();
    this.#machine = makeMachine();
    this.#pass = new Pass(this.#machine, options, this.#started, this.#waitPlaces);
  }
  advance() {
    const outcome = this.#pass.advance();
    if (outcome !== "grown") return outcome === "paused";
    if (this.#options.restart === false) {
      this.grown = true;
      return false;
    }
    if (this.#passes++ === PASSES_MAX) {
      this.#problem = "the set of shared memory did not settle";
      return false;
    }
    this.#machine = remake(this.#machine, this.#makeMachine);
    this.#pass = new Pass(this.#machine, this.#options, this.#started, this.#waitPlaces);
    return true;
  }
  stop() {
    this.#pass.stop("the search was interrupted");
  }
  /**
   * Instead of exploring: the parts that the task consists of, one for each choice at its end. None: it has ended there, or the
   * search is over (a violation, `grown`).
   */
  split() {
    const tasks = this.#pass.split();
    this.grown = this.#pass.grown;
    return tasks;
  }
  /** Orders of conflicting accesses, orders.ts. */
  orders() {
    return this.#pass.orders.list();
  }
  /** Estimate of the part of the search that is done, 0..1. */
  get done() {
    return this.#pass.done;
  }
  progress() {
    const { events, counts: counts2, done, orders } = this.#pass;
    return { states: events, events, preemptions: 0, executions: counts2.complete, done, orders: { pairs: orders.pairs, both: orders.both } };
  }
  counts() {
    return this.#pass.counts;
  }
  verdict() {
    return this.#pass.verdict(this.#problem);
  }
};

// src/explore/parallel/taskRun.ts
var TASK_EVENTS = 4e5;
var PARTS = 16;
function noTotals() {
  return {
    complete: 0,
    cut: 0,
    discarded: 0,
    redundant: 0,
    endless: 0,
    events: 0,
    repeated: 0,
    points: /* @__PURE__ */ new Map(),
    sites: /* @__PURE__ */ new Map(),
    cutByAssumption: 0,
    orders: [],
    weaknesses: /* @__PURE__ */ new Set()
  };
}
function addTotals(to, from) {
  for (const key of ["complete", "cut", "discarded", "redundant", "endless", "events", "repeated", "cutByAssumption"]) to[key] += from[key];
  for (const [point, count] of from.points) to.points.set(point, (to.points.get(point) ?? 0) + count);
  for (const [site, count] of from.sites) to.sites.set(site, (to.sites.get(site) ?? 0) + count);
  const orders = new Orders();
  orders.addAll(to.orders);
  orders.addAll(from.orders);
  to.orders = orders.list();
  for (const weakness of from.weaknesses) to.weaknesses.add(weakness);
}
var TaskRun = class {
  #workshop;
  #waitPlaces;
  #task;
  #eventsMax;
  #search;
  constructor(workshop, waitPlaces, task, eventsMax) {
    this.#workshop = workshop;
    this.#waitPlaces = waitPlaces;
    this.#task = task;
    this.#eventsMax = eventsMax;
    const { coverage } = workshop;
    coverage.points.clear();
    coverage.sites.clear();
    coverage.cut = 0;
    this.#search = this.#begin(task);
  }
  get events() {
    return this.#search.progress().events;
  }
  get executions() {
    return this.#search.counts().complete;
  }
  /** Goes on for a slice of events; null: it has not ended. */
  advance() {
    const more = this.#search.advance();
    if (this.#search.grown || this.#workshop.sharing.grown) return { kind: "grown" };
    if (!more) return this.#end();
    if (!this.#isTooLarge()) return null;
    const events = this.#search.progress().events;
    const ended = cutTask((task) => this.#begin(task), this.#task, PARTS);
    if ("kind" in ended) return ended;
    if (ended.length === 1) return null;
    return { kind: "cut", parts: ended, totals: { ...noTotals(), repeated: events } };
  }
  #begin(task) {
    const sliceEvents = Math.min(65536, Math.ceil(this.#eventsMax / 8));
    return new DporSearch(this.#workshop.make, { makeAside: this.#workshop.makeAside, task, waitPlaces: this.#waitPlaces, restart: false, sliceEvents });
  }
  /** By what it has taken so far, and, early, by what it is likely to take. */
  #isTooLarge() {
    const { events } = this.#search.progress();
    const { done } = this.#search;
    if (events >= this.#eventsMax) return done < 0.75 || events >= 4 * this.#eventsMax;
    return events >= this.#eventsMax / 8 && events > done * 8 * this.#eventsMax;
  }
  #end() {
    const verdict = this.#search.verdict();
    const found2 = foundBy(verdict);
    const { coverage } = this.#workshop;
    const totals = {
      ...noTotals(),
      ...this.#search.counts(),
      events: this.#search.progress().events,
      points: new Map(coverage.points),
      sites: new Map(coverage.sites),
      cutByAssumption: coverage.cut,
      orders: this.#search.orders()
    };
    if (found2 !== null) return { kind: "violated", found: found2, totals };
    if (Object.keys(verdict.bounds).length > 0) return { kind: "failed", reason: "budgets are not for searches that are divided" };
    const [first, ...others] = verdict.reasons;
    const endless = first === describeEndless(totals.endless);
    if (verdict.verdict !== "holds" && !endless) return { kind: "failed", reason: first ?? "the task could not be explored" };
    return { kind: "explored", totals: { ...totals, weaknesses: new Set(endless ? others : verdict.reasons) } };
  }
};
function foundBy({ violation, schedule, cycleFrom }) {
  return violation && { violation, schedule: schedule ?? [], ...cycleFrom === void 0 ? {} : { cycleFrom } };
}
function cutTask(begin, task, parts) {
  const whole2 = [];
  const open = [task];
  while (open.length > 0 && open.length + whole2.length < parts) {
    const next = open.shift();
    const search = begin(next);
    const found2 = search.grown ? [] : search.split();
    if (search.grown) return { kind: "grown" };
    const violated = foundBy(search.verdict());
    if (violated !== null) return { kind: "violated", found: violated, totals: noTotals() };
    if (found2.length === 0) whole2.push(next);
    else open.push(...found2);
  }
  return [...whole2, ...open];
}

// src/explore/checkpoint.ts
var CHECKPOINT_BYTES_MAX = 1 << 30;
function keyOf(image, model) {
  const words = [...new TextEncoder().encode(JSON.stringify([model.knobs, image.handledVectors, image.interrupts, image.objects, image.points]))];
  for (const region of image.regions) words.push(region.start, region.sizeBytes, region.access, region.bytes.length, ...sumOf(region.bytes));
  for (const registers of [...image.vcpus.map((vcpu) => vcpu.registers), image.init, image.final]) words.push(registers?.length ?? 0, ...registers ?? []);
  return sumOf(Int32Array.from(words)).map((lane) => (lane >>> 0).toString(16).padStart(8, "0")).join("");
}
function sumOf(bytes) {
  let h0 = bytes.length;
  let h1 = ~bytes.length;
  for (let k = 0; k < bytes.length; k++) {
    h0 = Math.imul(h0 ^ bytes[k] ^ h1 >>> 15, 2246822507);
    h1 = Math.imul(h1 ^ bytes[k] ^ h0 >>> 13, 3266489909);
  }
  return [h0, h1];
}
var packr = new Packr({ useRecords: false, variableMapSize: true });
var unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true });

// src/explore/cost.ts
var FIELD_MAX = 1023;
var PREEMPTION = 1 << 20;
var ENVIRONMENT = 1 << 10;
function costOf(machine, choice, current) {
  if (choiceKind(choice) === DRAIN) return 0;
  const vcpu = choiceVcpu(choice);
  let cost = 0;
  if (current >= 0 && current !== vcpu && machine.canContinue(current)) cost += PREEMPTION;
  if (machine.isEnvironmentChoice(choice)) cost += ENVIRONMENT;
  if (machine.bufferedStores() > 0) cost += 1;
  return cost;
}
function addCost(a, b) {
  if (b === 0) return a;
  const preemptions = Math.min(FIELD_MAX, (a >>> 20) + (b >>> 20));
  const environment2 = Math.min(FIELD_MAX, (a >>> 10 & FIELD_MAX) + (b >>> 10 & FIELD_MAX));
  return preemptions * PREEMPTION + environment2 * ENVIRONMENT + Math.min(FIELD_MAX, (a & FIELD_MAX) + (b & FIELD_MAX));
}
function unpackCost(cost) {
  return { preemptions: cost >>> 20, environment: cost >>> 10 & FIELD_MAX, delays: cost & FIELD_MAX };
}

// src/explore/generator.ts
function generator(seed) {
  let x = Math.imul(seed ^ 2654435769, 2246822507) | 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

// src/explore/nodeTable.ts
var FIELDS = 9;
var H0 = 0;
var H1 = 1;
var CURRENT = 2;
var PARENT = 3;
var CHOICE = 4;
var COST = 5;
var DEPTH = 6;
var EXPANDED = 7;
var STATE = 8;
var NodeTable = class {
  #nodes = new Int32Array(1024 * FIELDS);
  #slots = new Int32Array(4096).fill(-1);
  /** The same for machine states alone, to count them. */
  #stateSlots = new Int32Array(4096).fill(-1);
  #count = 0;
  states = 0;
  /** Memory that it takes. */
  get bytes() {
    return this.#nodes.byteLength + this.#slots.byteLength + this.#stateSlots.byteLength;
  }
  find(h0, h1, current) {
    const mask2 = this.#slots.length - 1;
    for (let slot = slotOf2(h0, current) & mask2; ; slot = slot + 1 & mask2) {
      const node = this.#slots[slot];
      if (node < 0) return -1;
      const at = node * FIELDS;
      if (this.#nodes[at + H0] === h0 && this.#nodes[at + H1] === h1 && this.#nodes[at + CURRENT] === current) return node;
    }
  }
  add(h0, h1, parent, choice, cost, depth, current) {
    if ((this.#count + 1) * 2 > this.#slots.length) this.#grow();
    if ((this.#count + 1) * FIELDS > this.#nodes.length) {
      const nodes2 = new Int32Array(this.#nodes.length * 2);
      nodes2.set(this.#nodes);
      this.#nodes = nodes2;
    }
    const node = this.#count++;
    const known = this.findState(h0, h1);
    const state = known < 0 ? this.states : known;
    const at = node * FIELDS;
    const nodes = this.#nodes;
    nodes[at + H0] = h0;
    nodes[at + H1] = h1;
    nodes[at + CURRENT] = current;
    nodes[at + PARENT] = parent;
    nodes[at + CHOICE] = choice;
    nodes[at + COST] = cost;
    nodes[at + DEPTH] = depth;
    nodes[at + EXPANDED] = 0;
    nodes[at + STATE] = state;
    this.#insert(this.#slots, slotOf2(h0, current), node);
    if (known < 0) {
      this.states++;
      this.#insert(this.#stateSlots, h0, node);
    }
    return node;
  }
  reparent(node, parent, choice, cost, depth) {
    const at = node * FIELDS;
    this.#nodes[at + PARENT] = parent;
    this.#nodes[at + CHOICE] = choice;
    this.#nodes[at + COST] = cost;
    this.#nodes[at + DEPTH] = depth;
  }
  current(node) {
    return this.#nodes[node * FIELDS + CURRENT];
  }
  parent(node) {
    return this.#nodes[node * FIELDS + PARENT];
  }
  choice(node) {
    return this.#nodes[node * FIELDS + CHOICE];
  }
  cost(node) {
    return this.#nodes[node * FIELDS + COST];
  }
  depth(node) {
    return this.#nodes[node * FIELDS + DEPTH];
  }
  expanded(node) {
    return this.#nodes[node * FIELDS + EXPANDED] !== 0;
  }
  state(node) {
    return this.#nodes[node * FIELDS + STATE];
  }
  markExpanded(node) {
    this.#nodes[node * FIELDS + EXPANDED] = 1;
  }
  choicesTo(node) {
    const choices = [];
    for (let at = node; this.parent(at) >= 0; at = this.parent(at)) choices.push(this.choice(at));
    return choices.reverse();
  }
  /** Number of a machine state, whoever ran last; -1: it is not known. */
  findState(h0, h1) {
    const mask2 = this.#stateSlots.length - 1;
    for (let slot = h0 & mask2; ; slot = slot + 1 & mask2) {
      const node = this.#stateSlots[slot];
      if (node < 0) return -1;
      if (this.#nodes[node * FIELDS + H0] === h0 && this.#nodes[node * FIELDS + H1] === h1) return this.#nodes[node * FIELDS + STATE];
    }
  }
  #insert(slots, hash, node) {
    const mask2 = slots.length - 1;
    let slot = hash & mask2;
    while (slots[slot] >= 0) slot = slot + 1 & mask2;
    slots[slot] = node;
  }
  #grow() {
    const nodes = this.#nodes;
    this.#slots = new Int32Array(this.#slots.length * 4).fill(-1);
    this.#stateSlots = new Int32Array(this.#slots.length).fill(-1);
    for (let node = 0; node < this.#count; node++) {
      const at = node * FIELDS;
      this.#insert(this.#slots, slotOf2(nodes[at + H0], nodes[at + CURRENT]), node);
      if (this.findState(nodes[at + H0], nodes[at + H1]) < 0) this.#insert(this.#stateSlots, nodes[at + H0], node);
    }
  }
};
function slotOf2(h0, current) {
  return h0 ^ Math.imul(current + 2, 2654435761);
}

// src/explore/sources.ts
var SOURCES = [
  { name: "preemptions", limit: "--preemptions K" },
  { name: "interrupts and NMIs", limit: "the `max` of each interrupt source" },
  { name: "stale fetches and orders of split accesses", limit: "--fetch RUNG, or aligned accesses" },
  { name: "delayed drains", limit: "--memory sc, or --set storeBuffer=N" },
  { name: "data choices", limit: "fewer alternatives in XM_CHOOSE, or XM_ASSUME early" },
  { name: "running on", limit: "fewer vCPUs (--vcpus), shorter loops" }
];
var [PREEMPTION2, INTERRUPTS, ENVIRONMENT2, DELAY, DATA, RUNNING] = SOURCES.keys();
var Sources = class {
  #counts = new Float64Array(SOURCES.length);
  /** A new state was reached by `choice`, which cost `price`. */
  count(choice, price) {
    const { preemptions, environment: environment2, delays } = unpackCost(price);
    const kind = choiceKind(choice);
    let source = RUNNING;
    if (kind === INTERRUPT || kind === NMI) source = INTERRUPTS;
    else if (environment2 > 0) source = ENVIRONMENT2;
    else if (choiceArgument(choice) > 0) source = DATA;
    else if (preemptions > 0) source = PREEMPTION2;
    else if (delays > 0) source = DELAY;
    this.#counts[source]++;
  }
  /** The biggest sources as one sentence each, biggest first. */
  describe() {
    const sum2 = this.#counts.reduce((a, b) => a + b, 0);
    return SOURCES.map((source, k) => ({ ...source, share: this.#counts[k] / sum2 })).filter(({ share }) => share >= 0.05).sort((a, b) => b.share - a.share).slice(0, 3).map(({ name, limit: limit2, share }) => `${Math.round(share * 100)} % of the states come from ${name}; to limit them: ${limit2}`);
  }
};

// src/explore/graph.ts
var PASSES_MAX2 = 64;
var STRIPE_EVENTS = 256;
var EVENTS_BETWEEN_CHECKS2 = 4096;
var SLICE_EVENTS2 = 65536;
function explore(makeMachine, limits, onProgress) {
  return finish2(new GraphSearch(makeMachine, limits), onProgress);
}
var GraphSearch = class {
  #makeMachine;
  #started = performance.now();
  #newPass;
  #machine;
  #pass;
  #passes = 1;
  #problem = null;
  /**
   * @param edgesMax transitions that are kept for a judgement of cycles (`graph`), where the machine allows one
   * @param byCost false: each state is expanded once, whoever ran last; several times faster, but what is found is not of least cost
   */
  constructor(makeMachine, limits, edgesMax = 0, byCost = true) {
    this.#makeMachine = makeMachine;
    this.#newPass = (machine) => new Pass2(machine, limits, this.#started, edgesMax, byCost);
    this.#machine = makeMachine();
    this.#pass = this.#newPass(this.#machine);
  }
  advance() {
    const outcome = this.#pass.advance();
    if (outcome !== "grown") return outcome === "paused";
    if (this.#passes === PASSES_MAX2) {
      this.#problem = "the set of shared memory did not settle";
      return false;
    }
    this.#passes++;
    this.#machine = remake(this.#machine, this.#makeMachine);
    this.#pass = this.#newPass(this.#machine);
    return true;
  }
  stop() {
    this.#pass.stop();
  }
  progress() {
    return this.#pass.progress();
  }
  verdict() {
    return this.#pass.verdict(this.#problem);
  }
  /** All states and transitions, where they were kept and nothing was left out; and how to find a state. */
  get graph() {
    return this.#pass.isWhole ? this.#pass.graph : null;
  }
  stateOf(h0, h1) {
    return this.#pass.stateOf(h0, h1);
  }
};
var Pass2 = class {
  #machine;
  #limits;
  #started;
  #nodes = new NodeTable();
  #buckets = /* @__PURE__ */ new Map();
  #choices = new Int32Array(CHOICES_MAX);
  /** Nodes from the root to where the machine is. */
  #path = [];
  /** Nodes of the present descent that have choices left; the first belongs to path[floor - 1]. */
  #frames = [];
  graph;
  #labeller;
  /** Per state: its transitions are being kept, or have been. */
  #kept = new Uint8Array(1024);
  #sources = new Sources();
  #random;
  #byCost;
  #floor = 0;
  #pauseAt = 0;
  #events = 0;
  /** Events that only lead back to a node. */
  #retaken = 0;
  #executions = 0;
  #level = 0;
  #stopped = null;
  #found = -1;
  #foundChoice = -1;
  #budgetAfterGrowth = -1;
  #pruned = false;
  constructor(machine, limits, started, edgesMax, byCost) {
    this.#byCost = byCost;
    this.#machine = machine;
    this.#limits = limits;
    this.#started = started;
    this.#random = limits.seed === void 0 ? null : generator(limits.seed);
    const live = edgesMax > 0 && isLive(machine) ? machine : null;
    this.graph = live && new StateGraph(edgesMax);
    this.#labeller = live && new Labeller(live);
    if (machine.violation !== null) return;
    const root = this.#nodes.add(machine.store.h0, machine.store.h1, -1, -1, 0, 0, -1);
    this.#path.push(root);
    this.#buckets.set(0, [root]);
  }
  stop() {
    this.#stopped ??= "interrupted";
  }
  /** Every state was expanded, with all its choices. */
  get isWhole() {
    return this.#stopped === null && !this.#pruned && this.#least === null && this.#machine.violation === null && this.#frames.length === 0;
  }
  stateOf(h0, h1) {
    return this.#nodes.findState(h0, h1);
  }
  progress() {
    return { states: this.#nodes.states, events: this.#events, preemptions: unpackCost(this.#level).preemptions };
  }
  /** Goes on for a slice of events. */
  advance() {
    const machine = this.#machine;
    if (machine.violation === null) {
      this.#pauseAt = this.#events + (this.#limits.sliceEvents ?? SLICE_EVENTS2);
      this.#checkMemory();
      if (this.#frames.length > 0) this.#descend();
      while (this.#frames.length === 0 && this.#advanceLevel()) ;
      if (this.#frames.length > 0 && this.#stopped === null && this.#found < 0) return "paused";
    }
    const cut = this.#stopped === "limit" || this.#stopped === "interrupted";
    return machine.sharing.grown && !cut ? "grown" : "done";
  }
  /** Takes up the next waiting node; false: there is none, or the search is over. */
  #advanceLevel() {
    if (this.#stopped !== null || this.#found >= 0) return false;
    const cost = this.#nextLevel();
    if (cost < 0 || this.#least !== null && cost >= this.#least.price) return false;
    this.#level = cost;
    if (unpackCost(cost).preemptions > (this.#limits.preemptions ?? Infinity)) {
      this.#pruned = true;
      return false;
    }
    const bucket = this.#buckets.get(cost);
    const node = bucket.pop();
    if (bucket.length === 0) this.#buckets.delete(cost);
    if (this.#nodes.expanded(node) || this.#nodes.cost(node) !== cost) return true;
    this.#goTo(node);
    if (this.#stopped !== null) return false;
    this.#floor = this.#path.length;
    this.#frames.push(this.#expand());
    this.#descend();
    return true;
  }
  #nextLevel() {
    let least = -1;
    for (const [cost, bucket] of this.#buckets) if (bucket.length > 0 && (least < 0 || cost < least)) least = cost;
    return least;
  }
  /** Depth-first from where the frames stand, along successors of the same cost, until done or the slice is over. */
  #descend() {
    const machine = this.#machine;
    const frames = this.#frames;
    const cost = this.#level;
    while (frames.length > 0) {
      const frame = frames[frames.length - 1];
      if (frame.next === frame.choices.length || this.#stopped !== null || this.#found >= 0) {
        frames.pop();
        if (frame.edges !== null) this.graph.add(frame.state, frame.ended, frame.edges);
        if (this.#path.length > this.#floor) {
          this.#path.pop();
          machine.undo();
        }
        continue;
      }
      if (this.#events >= this.#pauseAt) return;
      const node = this.#path[this.#path.length - 1];
      const choice = frame.choices[frame.next++];
      const current = this.#nodes.current(node);
      const price = this.#byCost ? addCost(cost, costOf(machine, choice, current)) : Math.floor(this.#path.length / STRIPE_EVENTS);
      this.#tick();
      const { edges } = frame;
      const edge = 2 * (frame.next - 1);
      if (edges !== null) this.#labeller.before(choice);
      const outcome = machine.take(choice);
      if (edges !== null) {
        edges[edge] = NOWHERE;
        edges[edge + 1] = this.#labeller.after();
      }
      if (outcome === 1) {
        this.#reportLater(node, choice, price);
        machine.undo();
        continue;
      }
      if (outcome === 2) {
        this.#executions++;
        machine.undo();
        continue;
      }
      const last = !this.#byCost || choiceKind(choice) === DRAIN ? current : choiceVcpu(choice);
      const child = this.#nodes.find(machine.store.h0, machine.store.h1, last);
      if (edges !== null && child >= 0) edges[edge] = this.#nodes.state(child);
      if (child >= 0 && (this.#nodes.expanded(child) || this.#nodes.cost(child) <= price)) {
        this.#executions++;
        machine.undo();
        continue;
      }
      const id = child >= 0 ? child : this.#nodes.add(machine.store.h0, machine.store.h1, node, choice, price, this.#nodes.depth(node) + 1, last);
      if (edges !== null) edges[edge] = this.#nodes.state(id);
      if (child < 0) this.#sources.count(choice, price - cost);
      else this.#nodes.reparent(child, node, choice, price, this.#nodes.depth(node) + 1);
      if (price === cost) {
        this.#path.push(id);
        frames.push(this.#expand());
      } else {
        this.#bucket(price).push(id);
        machine.undo();
      }
    }
  }
  /** A violation is reported when its level comes: a cheaper one may still be found. */
  #reportLater(node, choice, price) {
    this.#executions++;
    const known = this.#least;
    if (known === null || price < known.price) this.#least = { node, choice, price };
    if (price === this.#level) {
      this.#found = node;
      this.#foundChoice = choice;
    }
  }
  #least = null;
  #expand() {
    const node = this.#path[this.#path.length - 1];
    this.#nodes.markExpanded(node);
    const count = this.#machine.enabled(this.#choices);
    if (count === 0) this.#executions++;
    const choices = this.#choices.slice(0, count);
    if (this.#random !== null)
      for (let k = count - 1; k > 0; k--) {
        const other = this.#random() % (k + 1);
        [choices[k], choices[other]] = [choices[other], choices[k]];
      }
    const state = this.#nodes.state(node);
    if (this.graph === null || this.graph.full || this.#isKept(state)) return { choices, next: 0, state, ended: 0, edges: null };
    return { choices, next: 0, state, ended: endedOf(this.#machine), edges: new Int32Array(2 * count) };
  }
  #isKept(state) {
    if (state >= this.#kept.length) {
      const kept = new Uint8Array(Math.max(state + 1, this.#kept.length * 2));
      kept.set(this.#kept);
      this.#kept = kept;
    }
    const known = this.#kept[state] === 1;
    this.#kept[state] = 1;
    return known;
  }
  /** Brings the machine to `node`: undo to the common ancestor, then its choices again. */
  #goTo(node) {
    const nodes = this.#nodes;
    const route = [];
    let at = node;
    while (this.#path[nodes.depth(at)] !== at) {
      route.push(at);
      at = nodes.parent(at);
    }
    while (this.#path.length > nodes.depth(at) + 1) {
      this.#path.pop();
      this.#machine.undo();
    }
    for (let k = route.length - 1; k >= 0; k--) {
      if (this.#machine.sharing.grown && !this.#isEnabled(nodes.choice(route[k]))) {
        this.#stopped = "grown";
        return;
      }
      this.#machine.take(nodes.choice(route[k]));
      this.#events++;
      this.#retaken++;
      this.#path.push(route[k]);
    }
  }
  #isEnabled(choice) {
    return this.#choices.subarray(0, this.#machine.enabled(this.#choices)).includes(choice);
  }
  #bucket(cost) {
    let bucket = this.#buckets.get(cost);
    if (bucket === void 0) this.#buckets.set(cost, bucket = []);
    return bucket;
  }
  #tick() {
    this.#events++;
    const machine = this.#machine;
    if (machine.sharing.grown) {
      if (this.#budgetAfterGrowth < 0) this.#budgetAfterGrowth = this.#events + Math.max(2e3, this.#events);
      else if (this.#events > this.#budgetAfterGrowth) this.#stopped = "grown";
    }
    const limits = this.#limits;
    if (this.#nodes.states > (limits.states ?? Infinity) || this.#events > (limits.events ?? Infinity)) this.#stopped = "limit";
    if (this.#events % EVENTS_BETWEEN_CHECKS2 !== 0) return;
    this.#checkMemory();
    if ((performance.now() - this.#started) / 1e3 > (limits.seconds ?? Infinity)) this.#stopped = "limit";
  }
  #checkMemory() {
    const { memory } = this.#limits;
    if (memory?.isOver() !== true) return;
    this.#stopped = "limit";
    this.#outOfMemory = memory.reason;
  }
  #outOfMemory = null;
  verdict(problem) {
    const machine = this.#machine;
    const common = {
      states: this.#nodes.states,
      executions: this.#executions,
      events: this.#events,
      transitions: this.#events - this.#retaken,
      bytes: this.#nodes.bytes,
      seconds: (performance.now() - this.#started) / 1e3,
      engine: "graph"
    };
    if (machine.violation !== null && problem === null)
      return { ...common, verdict: "violated", strength: "complete", bounds: {}, reasons: [], violation: machine.violation, schedule: [], cost: unpackCost(0) };
    if (machine.sharing.grown && problem === null) problem = "the search ended before all shared memory was known";
    const least = this.#found >= 0 ? { node: this.#found, choice: this.#foundChoice, price: this.#level } : this.#least;
    const stopped = this.#stopped === "limit" || this.#stopped === "interrupted";
    if (least !== null && problem === null) {
      this.#goTo(least.node);
      machine.take(least.choice);
      const schedule = [...this.#nodes.choicesTo(least.node), least.choice];
      const { violation } = machine;
      machine.undo();
      const reasons2 = stopped || !this.#byCost ? ["the search was stopped: a schedule of lower cost may exist"] : [];
      const cost = this.#byCost ? unpackCost(least.price) : null;
      return { ...common, verdict: "violated", strength: "complete", bounds: {}, reasons: reasons2, violation, schedule, cost };
    }
    const reasons = [...machine.weaknesses];
    if (problem !== null) reasons.push(problem);
    const cut = stopped || this.#pruned;
    const covered = unpackCost(this.#level).preemptions - 1;
    if (this.#outOfMemory !== null)
      reasons.push(this.#outOfMemory, ...covered < 0 ? [] : [`no violation was found in schedules of at most ${covered} preemptions, all of which were covered`]);
    else if (this.#stopped === "limit") reasons.push(`the search was stopped by a limit (time, events or ${this.#limits.states ?? "any number of"} states)`);
    if (this.#stopped === "interrupted") reasons.push("the search was interrupted");
    if (stopped && this.#byCost) reasons.push(...this.#sources.describe());
    if (this.#pruned) reasons.push(`the search was limited to ${this.#limits.preemptions} preemptions`);
    const blank = { violation: null, schedule: null, cost: null, reasons };
    if (problem !== null || this.#outOfMemory !== null || cut && covered < 0) return { ...common, ...blank, verdict: "unknown", strength: "bounded", bounds: {} };
    if (cut) return { ...common, ...blank, verdict: "holds", strength: "bounded", bounds: { preemptions: covered } };
    return { ...common, ...blank, verdict: "holds", strength: reasons.length > 0 ? "bounded" : "complete", bounds: {} };
  }
};

// src/explore/liveness/components.ts
var Components = class {
  #graph;
  /** Per state: the part that it belongs to; components stay inside one part. */
  part;
  /** Per state, in the present run: order in which it was found (0: not yet), least order that it reaches, next edge to follow. */
  #found;
  #low;
  #next;
  #onStack;
  #stack;
  #calls;
  constructor(graph) {
    const { states } = graph;
    this.#graph = graph;
    this.part = new Int32Array(states);
    this.#found = new Int32Array(states);
    this.#low = new Int32Array(states);
    this.#next = new Int32Array(states);
    this.#onStack = new Uint8Array(states);
    this.#stack = new Int32Array(states);
    this.#calls = new Int32Array(states);
  }
  /**
   * Calls `visit` with each component of the states of part `part`, those that others lead to first. `members` is valid during
   * the call only.
   * @param usable whether edges with this label count
   */
  each(states, part, usable, visit) {
    const { starts, counts: counts2, targets, labels } = this.#graph;
    const found2 = this.#found;
    const low = this.#low;
    const next = this.#next;
    const stack = this.#stack;
    const calls = this.#calls;
    for (const state of states) found2[state] = 0;
    let order = 0;
    let stacked = 0;
    for (const root of states) {
      if (found2[root] !== 0) continue;
      let depth = 0;
      calls[depth] = root;
      found2[root] = low[root] = ++order;
      next[root] = 0;
      stack[stacked++] = root;
      this.#onStack[root] = 1;
      while (depth >= 0) {
        const state = calls[depth];
        if (next[state] < counts2[state]) {
          const edge = starts[state] + next[state]++;
          const target = targets[edge];
          if (target === NOWHERE || this.part[target] !== part || !usable(labels[edge])) continue;
          if (found2[target] === 0) {
            found2[target] = low[target] = ++order;
            next[target] = 0;
            stack[stacked++] = target;
            this.#onStack[target] = 1;
            calls[++depth] = target;
          } else if (this.#onStack[target] === 1 && found2[target] < low[state]) low[state] = found2[target];
          continue;
        }
        depth--;
        if (depth >= 0 && low[state] < low[calls[depth]]) low[calls[depth]] = low[state];
        if (low[state] !== found2[state]) continue;
        let first = stacked;
        do
          this.#onStack[stack[--first]] = 0;
        while (stack[first] !== state);
        visit(stack.subarray(first, stacked));
        stacked = first;
      }
    }
  }
};

// src/explore/liveness/doom.ts
function doomOf(graph, vcpus) {
  const all = vcpus === 32 ? -1 : (1 << vcpus) - 1;
  const hope = new Int32Array(graph.states);
  const ending = new Int32Array(graph.states);
  const states = Int32Array.from(hope.keys());
  let any = false;
  const { starts, counts: counts2, targets, labels, ended } = graph;
  new Components(graph).each(states, 0, (label) => (label & EDGE_FINITE) === 0, (members) => {
    let mask2 = 0;
    let ends = ended[members[0]];
    for (const state of members)
      for (let edge = starts[state]; edge < starts[state] + counts2[state]; edge++) {
        const label = labels[edge];
        if (targets[edge] === NOWHERE) mask2 = all;
        else if ((label & EDGE_FINITE) === 0) {
          mask2 |= hope[targets[edge]];
          ends |= ending[targets[edge]];
          if ((label & (EDGE_EFFECT | EDGE_PROGRESS)) !== 0) mask2 |= 1 << choiceVcpu(label);
        }
      }
    for (const state of members) {
      hope[state] = mask2;
      ending[state] = ends;
      if ((all & ~mask2 & ~ended[state]) !== 0) any = true;
    }
  });
  return any ? { doomed: hope.map((mask2, state) => all & ~mask2 & ~ended[state]), ending } : null;
}

// src/explore/liveness/fairCycles.ts
var FairCycles = class {
  #graph;
  #vcpus;
  #components;
  #parts = 0;
  constructor(graph, vcpus) {
    this.#graph = graph;
    this.#vcpus = vcpus;
    this.#components = new Components(graph);
  }
  /**
   * States strongly connected by `usable` edges, in which one of the vCPUs `owed` (bits) has not ended, and whose runs through all of
   * it are fair; null: there are none.
   */
  find(usable, owed) {
    const { ended, states } = this.#graph;
    const { part } = this.#components;
    const work = [Int32Array.from(part.keys()).subarray(0, states)];
    let result = null;
    for (let some = work.pop(); some !== void 0 && result === null; some = work.pop()) {
      const number2 = ++this.#parts;
      for (const state of some) part[state] = number2;
      const components = [];
      this.#components.each(some, number2, usable, (members) => {
        if ((~ended[members[0]] & owed) !== 0 && (members.length > 1 || this.#hasLoop(members[0], usable))) components.push(members.slice());
      });
      for (const members of components) {
        const inside = ++this.#parts;
        for (const state of members) part[state] = inside;
        const missing = this.#missing(members, inside, usable);
        if (missing === null) continue;
        if (missing.size === 0) {
          result = members;
          break;
        }
        const rest = members.filter((state) => !this.#offersOneOf(state, missing));
        if (rest.length > 0) work.push(rest);
      }
    }
    return result;
  }
  /** Strong obligations that the component offers and never meets; null: a weak one is offered everywhere and never met. */
  #missing(members, inside, usable) {
    const { starts, counts: counts2, targets, labels } = this.#graph;
    const { part } = this.#components;
    const vcpus = this.#vcpus;
    const offered = new Int32Array(4 * vcpus);
    const acted = new Uint8Array(4 * vcpus);
    const seenIn = new Int32Array(4 * vcpus).fill(-1);
    for (const state of members)
      for (let edge = starts[state]; edge < starts[state] + counts2[state]; edge++) {
        const one = obligationOf(labels[edge] & CHOICE_MASK, vcpus);
        if (one === NOBODY) continue;
        if (seenIn[one] !== state) offered[one]++;
        seenIn[one] = state;
        if (targets[edge] !== NOWHERE && part[targets[edge]] === inside && usable(labels[edge])) acted[one] = 1;
      }
    const missing = /* @__PURE__ */ new Set();
    for (let one = 0; one < 4 * vcpus; one++) {
      if (acted[one] !== 0 || offered[one] === 0) continue;
      if (isStrong(one, vcpus)) missing.add(one);
      else if (offered[one] === members.length) return null;
    }
    return missing;
  }
  #offersOneOf(state, obligations) {
    const { starts, counts: counts2, labels } = this.#graph;
    for (let edge = starts[state]; edge < starts[state] + counts2[state]; edge++)
      if (obligations.has(obligationOf(labels[edge] & CHOICE_MASK, this.#vcpus))) return true;
    return false;
  }
  #hasLoop(state, usable) {
    const { starts, counts: counts2, targets, labels } = this.#graph;
    for (let edge = starts[state]; edge < starts[state] + counts2[state]; edge++) if (targets[edge] === state && usable(labels[edge])) return true;
    return false;
  }
};
function tour(graph, members, start, vcpus, usable) {
  const { starts, counts: counts2, targets, labels } = graph;
  const inside = new Uint8Array(graph.states);
  for (const state of members) inside[state] = 1;
  const via = new Int32Array(graph.states);
  const before2 = new Int32Array(graph.states);
  const obligation = (edge) => obligationOf(labels[edge] & CHOICE_MASK, vcpus);
  const own = (edge) => targets[edge] !== NOWHERE && inside[targets[edge]] === 1 && usable(labels[edge]);
  const edgesOf = function* (state) {
    for (let edge = starts[state]; edge < starts[state] + counts2[state]; edge++) yield edge;
  };
  const cycle = [];
  let at = start;
  const walk3 = (wanted) => {
    via.fill(-2);
    via[at] = -1;
    const queue = [at];
    for (let k = 0; k < queue.length; k++) {
      const state = queue[k];
      if (wanted(state)) {
        const way = [];
        for (let back = state; via[back] >= 0; back = before2[back]) way.push(via[back]);
        cycle.push(...way.reverse());
        at = state;
        return true;
      }
      for (const edge of edgesOf(state)) {
        if (!own(edge) || via[targets[edge]] !== -2) continue;
        via[targets[edge]] = edge;
        before2[targets[edge]] = state;
        queue.push(targets[edge]);
      }
    }
    return false;
  };
  const step = (wanted) => {
    const edge = [...edgesOf(at)].find((one) => own(one) && wanted(one));
    cycle.push(edge);
    at = targets[edge];
  };
  for (let one = 0; one < 4 * vcpus; one++) {
    if (cycle.some((edge) => obligation(edge) === one)) continue;
    const acts = (edge) => obligation(edge) === one;
    if (walk3((state) => [...edgesOf(state)].some((edge) => own(edge) && acts(edge)))) step(acts);
    else if (!isStrong(one, vcpus)) walk3((state) => ![...edgesOf(state)].some(acts));
  }
  if (at === start && cycle.length === 0) step(() => true);
  walk3((state) => state === start);
  return cycle.map((edge) => labels[edge] & CHOICE_MASK);
}

// src/explore/liveness/judge.ts
function judgeLiveness({ graph, search, makeMachine, liveness }) {
  const vcpus = makeMachine().vcpuCount;
  const all = vcpus === 32 ? -1 : (1 << vcpus) - 1;
  const stateOf = (machine) => search.stateOf(machine.store.h0, machine.store.h1);
  const isOwed = (label) => (label & EDGE_FINITE) === 0;
  let everEnded = 0;
  for (let state = 0; state < graph.states; state++) everEnded |= graph.ended[state];
  const marks = liveness !== "termination" && graph.progressed !== 0;
  const obliged = liveness === "termination" ? all : everEnded | graph.progressed;
  const { doomed, ending } = doomOf(graph, vcpus) ?? { doomed: null, ending: null };
  const doom = (mask2, unended) => {
    const isGoal = (state) => (doomed[state] & mask2) !== 0 && (ending[state] & unended) === 0;
    if (doomed === null || !doomed.some((_, state) => isGoal(state))) return null;
    const way = wayTo(makeMachine, isGoal, stateOf);
    const machine = makeMachine();
    for (const choice of way.schedule) machine.take(choice);
    return { lasso: closeFairly(makeMachine(), way.schedule), victims: doomed[stateOf(machine)], cost: way.cost };
  };
  const certain = doom(obliged, 0);
  if (certain !== null) return found(makeMachine, certain.lasso, lowest2(certain.victims & obliged), certain.cost);
  for (const v of bitsOf(all & ~obliged))
    for (const unended of [0, all]) {
      const possible = doom(1 << v, unended);
      if (possible?.lasso && whoWaits(makeMachine(), possible.lasso).includes(v)) return found(makeMachine, possible.lasso, v, possible.cost);
    }
  const getsOn = (label, mask2) => marks && (label & EDGE_PROGRESS) !== 0 && (1 << choiceVcpu(label) & mask2) !== 0;
  const byOther = (label) => choiceKind(label) !== DRAIN && (1 << choiceVcpu(label) & obliged) === 0;
  const cycles = new FairCycles(graph, vcpus);
  const judge2 = (usable, owed) => {
    const members = cycles.find(usable, owed);
    if (members === null) return null;
    const inside = new Uint8Array(graph.states);
    for (const state of members) inside[state] = 1;
    const way = wayTo(makeMachine, (state) => inside[state] === 1, stateOf);
    const machine = makeMachine();
    for (const choice of way.schedule) machine.take(choice);
    const start = stateOf(machine);
    const schedule = [...way.schedule, ...tour(graph, members, start, vcpus, usable)];
    return found(makeMachine, { schedule, from: way.schedule.length }, lowest2(~graph.ended[start] & owed), way.cost);
  };
  const livelock = judge2((label) => isOwed(label) && !getsOn(label, obliged) && !byOther(label), obliged);
  if (livelock !== null) return livelock;
  const servers = all & ~obliged;
  const starvation = marks || liveness === "progress" || servers === 0;
  if (starvation && (marks || servers !== 0))
    for (let v = 0; v < vcpus; v++) {
      if ((obliged >>> v & 1) === 0) continue;
      const starved = judge2((label) => isOwed(label) && !getsOn(label, 1 << v), 1 << v);
      if (starved !== null) return starved;
    }
  return { violated: false, report: reportOf(marks, servers, starvation) };
}
function reportOf(marks, servers, starvation) {
  const who = bitsOf(servers).map((v) => `vCPU ${v}`).join(", ");
  const others = servers === 0 ? "" : `; never in any execution: ${who}, which is taken not to be meant to`;
  if (!starvation)
    return {
      covered: "deadlock",
      text: `nobody waits for ever, and no livelock without ${who}, which never ends; starvation was not judged: mark progress with XM_PROGRESS, or ask for --liveness progress`
    };
  if (marks) return { covered: "progress", text: `in every fair execution each vCPU ends, or passes XM_PROGRESS again and again${others}` };
  return { covered: "termination", text: `every fair execution ends: no deadlock, lost wake-up, livelock or starvation${others}` };
}
function wayTo(makeMachine, isGoal, stateOf) {
  const { schedule, cost } = explore(() => new UntilGoal(makeMachine(), (machine) => isGoal(stateOf(machine))), {});
  if (schedule === null) throw new Error("a state of the graph was not reached again");
  return { schedule, cost };
}
function found(makeMachine, lasso, victim, cost) {
  const violation = lasso && judgeLasso(makeMachine(), lasso, victim);
  if (lasso === null || violation === null) throw new Error("a lasso of the state graph is not fair when carried out");
  return { violated: true, lasso, violation, cost };
}
var UntilGoal = class {
  #machine;
  #isGoal;
  violation = null;
  constructor(machine, isGoal) {
    this.#machine = machine;
    this.#isGoal = isGoal;
    this.#look();
  }
  get store() {
    return this.#machine.store;
  }
  get sharing() {
    return this.#machine.sharing;
  }
  get weaknesses() {
    return this.#machine.weaknesses;
  }
  enabled(out) {
    return this.#machine.enabled(out);
  }
  take(choice) {
    const outcome = this.#machine.take(choice);
    if (outcome !== 0) return outcome;
    this.#look();
    return this.violation === null ? 0 : 1;
  }
  undo() {
    this.violation = null;
    this.#machine.undo();
  }
  canContinue(vcpu) {
    return this.#machine.canContinue(vcpu);
  }
  bufferedStores() {
    return this.#machine.bufferedStores();
  }
  isEnvironmentChoice(choice) {
    return this.#machine.isEnvironmentChoice(choice);
  }
  #look() {
    if (this.#isGoal(this.#machine)) this.violation = { kind: "goal", message: "the state was reached", vcpu: 0, eip: 0 };
  }
};
var lowest2 = (mask2) => 31 - Math.clz32(mask2 & -mask2);
var bitsOf = (mask2) => Array.from({ length: 32 }, (_, v) => v).filter((v) => (mask2 >>> v & 1) === 1);

// src/explore/liveness/search.ts
var EDGES_MAX = 2e7;
var EDGES_ASKED_MAX = 12e7;
var PLAIN_STATES_MAX = 5e5;
var LiveSearch = class {
  #search;
  /** Makes the search by cost; null: it is that already. */
  #byCost;
  /** Violated, by a schedule that may not be the least. */
  #first = null;
  #events = 0;
  #seconds = 0;
  #stopped = false;
  #makeAside;
  #liveness;
  #edgesMax;
  #outcome = null;
  /**
   * @param makeAside a machine at the start for what is no part of the search
   */
  constructor(makeMachine, makeAside, limits, liveness, { edgesMax, byCost = false } = {}) {
    this.#makeAside = makeAside;
    this.#liveness = liveness;
    this.#edgesMax = edgesMax ?? (liveness === "auto" ? EDGES_MAX : EDGES_ASKED_MAX);
    this.#byCost = byCost ? null : () => new GraphSearch(makeMachine, limits, this.#edgesMax);
    this.#search = this.#byCost === null ? new GraphSearch(makeMachine, limits, this.#edgesMax) : new GraphSearch(makeMachine, { ...limits, states: PLAIN_STATES_MAX }, this.#edgesMax, false);
  }
  advance() {
    if (this.#search.advance()) return true;
    const verdict = this.#search.verdict();
    const { graph } = this.#search;
    if (this.#byCost !== null && !this.#stopped && verdict.verdict !== "holds") {
      if (verdict.verdict === "violated") this.#first = verdict;
      this.#events += verdict.events;
      this.#seconds += verdict.seconds;
      this.#search = this.#byCost();
      this.#byCost = null;
      return true;
    }
    if (graph === null || verdict.verdict !== "holds") return false;
    this.#outcome = graph.full ? { violated: false, report: { covered: "none", text: `not judged: there are more than ${this.#edgesMax} transitions${this.#liveness === "auto" ? "; --liveness progress or termination takes more" : ""}` } } : judgeLiveness({ graph, search: this.#search, makeMachine: this.#makeAside, liveness: this.#liveness });
    return false;
  }
  stop() {
    this.#stopped = true;
    this.#search.stop();
  }
  progress() {
    const progress = this.#search.progress();
    return { ...progress, events: progress.events + this.#events };
  }
  verdict() {
    const last = this.#search.verdict();
    const safety = { ...this.#first !== null && last.verdict !== "violated" ? this.#first : last, events: last.events + this.#events, seconds: last.seconds + this.#seconds };
    const outcome = this.#outcome;
    if (outcome?.violated) {
      const { lasso, violation, cost } = outcome;
      return { ...safety, verdict: "violated", strength: "complete", bounds: {}, reasons: [], violation, schedule: lasso.schedule, cycleFrom: lasso.from, cost };
    }
    if (safety.verdict === "violated") return safety;
    const liveness = outcome?.report ?? { covered: "none", text: "not judged: not all states were explored" };
    const missing = this.#liveness !== "auto" && liveness.covered === "none";
    if (!missing || safety.verdict !== "holds") return { ...safety, liveness };
    return { ...safety, liveness, verdict: "unknown", strength: "bounded", bounds: {}, reasons: [...safety.reasons, `liveness was ${liveness.text}`] };
  }
};

// src/explore/dpor/options.ts
var WHOLE = { prefix: [], sleep: [] };

// src/cpu/classes.ts
var I486 = ["486", "cpuid"];
var PENTIUM = [...I486, "vme", "de", "pse", "tsc", "msr", "cx8", "apic"];
var P6 = [...PENTIUM, "pae", "sep", "mtrr", "pge", "cmov", "pat", "fxsr", "nopl", "rdpmc", "fences"];
var P4 = [...P6, "nx", "x2apic"];
var CPU_CLASSES = {
  "386": {
    name: "386",
    family: 3,
    lineBytes: 16,
    atomicBytes: 4,
    detectsOwnStores: false,
    queueBytes: 16,
    prefetchBytes: 4,
    signature: 776,
    features: /* @__PURE__ */ new Set()
  },
  "486": {
    name: "486",
    family: 4,
    lineBytes: 16,
    atomicBytes: 4,
    detectsOwnStores: false,
    queueBytes: 32,
    prefetchBytes: 16,
    signature: 1152,
    features: new Set(I486)
  },
  pentium: {
    name: "pentium",
    family: 5,
    lineBytes: 32,
    atomicBytes: 8,
    detectsOwnStores: true,
    queueBytes: 0,
    prefetchBytes: 0,
    signature: 1324,
    features: new Set(PENTIUM)
  },
  p6: {
    name: "p6",
    family: 6,
    lineBytes: 32,
    atomicBytes: 0,
    detectsOwnStores: true,
    queueBytes: 0,
    prefetchBytes: 0,
    signature: 1713,
    features: new Set(P6)
  },
  p4: {
    name: "p4",
    family: 15,
    lineBytes: 64,
    atomicBytes: 0,
    detectsOwnStores: true,
    queueBytes: 0,
    prefetchBytes: 0,
    signature: 3907,
    features: new Set(P4)
  }
};
function classOf(name) {
  return CPU_CLASSES[name];
}

// src/smp/model.ts
var KNOBS = [
  { name: "cpu", fallback: "p4", values: Object.keys(CPU_CLASSES), doc: "CPU class: instructions, line size, atomicity, prefetch queue" },
  { name: "memory", fallback: "tso", values: ["tso", "sc"], doc: "data memory: x86-TSO, or sequentially consistent" },
  {
    name: "fetch",
    fallback: "ordered:16",
    accepts: { test: (text) => parseRung(text) !== null, doc: () => `one of ${RUNGS.join(", ")}` },
    doc: "rung of the fetch ladder: coherent, single, ordered:N, independent:N, byte, strict"
  },
  { name: "ownStores", fallback: "seen", values: ["seen", "lag"], doc: "own stores to code: seen by the own fetch (Pentium and later), or only after serialising" },
  { name: "smcMatch", fallback: "linear", values: ["linear", "physical"], doc: "own stores to code are seen where they go through the linear address that is fetched from; or through any" },
  { name: "storeBuffer", fallback: 16, range: [1, 32], doc: "entries of a store buffer; a full one weakens `complete` to `bounded`" },
  {
    name: "storeOrder",
    fallback: "fifo",
    values: ["fifo", "any"],
    doc: "stores of a vCPU reach memory in program order, or in any (out-of-order stores of the WinChip; what the Pentium Pro errata 66 and 92 are guarded against as)"
  },
  { name: "partialOverlap", fallback: "merge", values: ["merge", "wait"], doc: "a load that overlaps a buffered store in part: merge bytes, or wait for the drain" },
  { name: "interruptDrains", fallback: true, doc: "taking an interrupt or exception empties the store buffer (SDM vol. 3A 11.10)" },
  { name: "interruptSync", fallback: false, doc: "taking an interrupt or exception is core-serialising (the IRET at its end always is)" },
  { name: "ipiDrains", fallback: true, doc: "sending an IPI waits for earlier stores (xAPIC yes, x2APIC no)" },
  { name: "fetchHistory", fallback: 24, range: [1, 64], doc: "code writes a vCPU may lag behind; reaching it weakens `complete` to `bounded`" },
  { name: "tlb", fallback: "pde", values: ["none", "leaf", "pde"], doc: "with paging on, cached are: nothing (every access walks), translations, or also directory entries" },
  { name: "tlbSplit", fallback: "split", values: ["unified", "split", "each"], doc: "one TLB; one for fetches and one for data; or every access looks up on its own, newer or older" },
  { name: "tlbSpeculative", fallback: "any", values: ["no", "accessed", "any"], doc: "cached without an access: nothing; what has its accessed bits set; anything present" },
  { name: "tlbEntries", fallback: 24, range: [1, 64], doc: "stale translations, and stale directory entries, of a vCPU; more weaken `complete` to `bounded`" },
  { name: "localSteps", fallback: 4096, range: [16, 1e9], doc: "instructions without a visible event before a scheduling point is forced" },
  {
    name: "undefinedFlags",
    fallback: "fixed",
    accepts: { test: (text) => parseUndefinedFlags(text) !== null, doc: () => "fixed, zero or random:SEED" },
    doc: "flags that the manual leaves undefined: fixed (what the model makes of them), zero, or random:SEED"
  }
];
var RUNGS = [
  "coherent",
  "single",
  ...[64, 32, 16, 8, 4].map((n) => `ordered:${n}`),
  ...[64, 32, 16, 8, 4].map((n) => `independent:${n}`),
  "byte",
  "strict"
];
function parseRung(text) {
  if (!RUNGS.includes(text)) return null;
  const [kind, size] = text.split(":");
  const chunkBytes = size ? Number(size) : kind === "byte" || kind === "strict" ? 1 : 0;
  return { kind, chunkBytes };
}
var KnobError = class extends Error {
};
function makeModel(settings = {}) {
  const knobs = {};
  for (const name of Object.keys(settings))
    if (!KNOBS.some((row) => row.name === name))
      throw new KnobError(`there is no knob '${name}'; knobs are ${KNOBS.map((row) => row.name).join(", ")}`);
  for (const row of KNOBS) knobs[row.name] = readKnob(row, settings[row.name] ?? row.fallback);
  const cpu = classOf(knobs.cpu);
  const rung = parseRung(knobs.fetch);
  const queued = cpu.queueBytes > 0 && (rung.kind === "coherent" || rung.kind === "single");
  return {
    knobs,
    cpu,
    sc: knobs.memory === "sc",
    fetch: queued ? { kind: "ordered", chunkBytes: cpu.prefetchBytes } : rung,
    queueOnly: queued && rung.kind === "coherent",
    ownStoresSeen: cpu.detectsOwnStores && knobs.ownStores === "seen",
    matchesLinear: cpu.detectsOwnStores && knobs.ownStores === "seen" && knobs.smcMatch === "linear",
    storeBuffer: knobs.storeBuffer,
    storesOvertake: knobs.storeOrder === "any",
    partialWait: knobs.partialOverlap === "wait",
    interruptDrains: knobs.interruptDrains,
    interruptSync: knobs.interruptSync,
    ipiDrains: knobs.ipiDrains,
    fetchHistory: knobs.fetchHistory,
    tlb: knobs.tlb,
    tlbSplit: knobs.tlbSplit,
    tlbSpeculative: knobs.tlbSpeculative,
    tlbEntries: knobs.tlbEntries,
    localSteps: knobs.localSteps,
    undefinedFlags: parseUndefinedFlags(knobs.undefinedFlags)
  };
}
function readKnob(row, value) {
  const wrong = (allowed) => new KnobError(`${row.name}=${value}: ${row.name} is ${allowed}`);
  if (row.accepts) {
    if (!row.accepts.test(String(value))) throw wrong(row.accepts.doc());
    return String(value);
  }
  if (row.values) {
    if (!row.values.includes(String(value))) throw wrong(`one of ${row.values.join(", ")}`);
    return String(value);
  }
  if (typeof row.fallback === "boolean") {
    if (!["true", "false", "yes", "no"].includes(String(value))) throw wrong("yes or no");
    return value === true || value === "true" || value === "yes";
  }
  const number2 = Number(value);
  const [low, high] = row.range;
  if (!Number.isInteger(number2) || number2 < low || number2 > high) throw wrong(`a whole number, ${low} to ${high}`);
  return number2;
}

// src/explore/monitors/callCount.ts
var SLOTS3 = 32;
var SLOT_WORDS = 3;
var CallCount = class {
  name = "call-count";
  watches;
  #sites;
  #machine;
  /** Number of open passes, then each: top of the stack, number of the site, calls so far; sorted by top, the rest 0. */
  #ghosts = 0;
  constructor(image) {
    this.#sites = image.sites.flatMap(
      ({ name, address, sizeBytes, calls }) => calls === void 0 ? [] : [{ name, address: address >>> 0, end: address + sizeBytes >>> 0, functions: calls.map((one) => one >>> 0) }]
    );
    this.watches = [...new Set(this.#sites.flatMap(({ address, end: end2, functions }) => [address, end2, ...functions]))];
  }
  ghostWords() {
    return this.#sites.length === 0 ? 0 : 1 + SLOTS3 * SLOT_WORDS;
  }
  attach(machine, ghosts) {
    this.#machine = machine;
    this.#ghosts = ghosts;
  }
  onExecute(vcpu, eip) {
    const { r } = this.#machine.cpus[vcpu];
    const top = r[SEG_BASE + SS] + r[ESP] >>> 0;
    this.#sites.forEach((site, number2) => {
      if (this.#machine.violation !== null) return;
      if (site.functions.includes(eip)) this.#count(vcpu, number2, top);
      if (eip === site.address) this.#open(vcpu, number2, top);
      if (eip === site.end) this.#close(vcpu, number2, top);
    });
  }
  /** A site that is tried again, as a handler may decide, is one pass. */
  #open(vcpu, site, top) {
    const list = this.#list();
    if (!list.some((one) => one.site === site && one.top === top)) this.#save(vcpu, [...list, { top, site, calls: 0 }]);
  }
  #count(vcpu, site, top) {
    const list = this.#list();
    const found2 = list.find((one) => one.site === site && one.top === top + 4 >>> 0) ?? list.find((one) => one.site === site && one.top === top);
    if (found2 === void 0) return;
    if (found2.calls > 0) return this.#machine.violate("double-call", vcpu, `site ${this.#sites[site].name}: a second call in one pass, of ${this.#machine.symbolize(this.#machine.eip(vcpu))}`);
    this.#save(vcpu, list.map((one) => one === found2 ? { ...one, calls: 1 } : one));
  }
  #close(vcpu, site, top) {
    const list = this.#list();
    const found2 = list.find((one) => one.site === site && one.top === top);
    if (found2 === void 0) return;
    if (found2.calls === 0) return this.#machine.violate("lost-call", vcpu, `a pass over site ${this.#sites[site].name} called none of its functions`);
    this.#save(vcpu, list.filter((one) => one !== found2));
  }
  #list() {
    const { w } = this.#machine.store;
    return Array.from({ length: w[this.#ghosts] }, (_, k) => {
      const at = this.#ghosts + 1 + k * SLOT_WORDS;
      return { top: w[at] >>> 0, site: w[at + 1], calls: w[at + 2] };
    });
  }
  #save(vcpu, passes) {
    const { store } = this.#machine;
    if (passes.length > SLOTS3) return this.#machine.violate("limit", vcpu, `more than ${SLOTS3} passes over sites are open at once`);
    const list = [...passes].sort((a, b) => a.top - b.top || a.site - b.site);
    const used = Math.max(list.length, store.w[this.#ghosts]);
    store.set(this.#ghosts, list.length);
    for (let k = 0; k < used; k++) {
      const words = k < list.length ? [list[k].top, list[k].site, list[k].calls] : [0, 0, 0];
      words.forEach((word, i) => store.set(this.#ghosts + 1 + k * SLOT_WORDS + i, word));
    }
  }
};

// src/explore/monitors/construction.ts
var SLOTS4 = 16;
var SLOT_WORDS2 = 3;
var INT32 = 204;
var Construction = class {
  name = "construction";
  #machine;
  /** Number of stretches, then each: start, end, vCPU; sorted by start, the rest 0. */
  #ghosts = 0;
  ghostWords() {
    return 1 + SLOTS4 * SLOT_WORDS2;
  }
  attach(machine, ghosts) {
    this.#machine = machine;
    this.#ghosts = ghosts;
  }
  isIdle() {
    return this.#machine.store.w[this.#ghosts] === 0;
  }
  onMark(vcpu, call4, eax, edx) {
    if (call4 !== GUEST_CALLS.building && call4 !== GUEST_CALLS.built) return;
    const from = eax >>> 0;
    const to = from + (edx >>> 0);
    const others = this.#list().flatMap((one) => [{ ...one, to: Math.min(one.to, from) }, { ...one, from: Math.max(one.from, to) }]).filter((one) => one.from < one.to);
    this.#save(vcpu, call4 === GUEST_CALLS.built ? others : [...others, { from, to, vcpu }].sort((a, b) => a.from - b.from));
  }
  onFetch(vcpu, _eip, sizeBytes, physical) {
    const hit = this.#list().find((one) => physical < one.to && physical + sizeBytes > one.from);
    if (hit === void 0 || physical === hit.from && sizeBytes === 1 && this.#machine.executedBytes(vcpu, 1)[0] === INT32) return;
    this.#machine.violate("under-construction", vcpu, `executes ${this.#machine.symbolize(physical)}, which vCPU ${hit.vcpu} is building`);
  }
  #list() {
    const { w } = this.#machine.store;
    return Array.from({ length: w[this.#ghosts] }, (_, k) => {
      const at = this.#ghosts + 1 + k * SLOT_WORDS2;
      return { from: w[at] >>> 0, to: w[at + 1] >>> 0, vcpu: w[at + 2] };
    });
  }
  #save(vcpu, list) {
    const { store } = this.#machine;
    if (list.length > SLOTS4) return this.#machine.violate("limit", vcpu, `more than ${SLOTS4} stretches of code are under construction at once`);
    const used = Math.max(list.length, store.w[this.#ghosts]);
    store.set(this.#ghosts, list.length);
    for (let k = 0; k < used; k++) {
      const words = k < list.length ? [list[k].from, list[k].to, list[k].vcpu] : [0, 0, 0];
      words.forEach((word, i) => store.set(this.#ghosts + 1 + k * SLOT_WORDS2 + i, word));
    }
  }
};

// src/explore/monitors/objects.ts
function nameOfObject(machine, image, address) {
  return image.objects.find((one) => one.address >>> 0 === address >>> 0)?.name ?? machine.symbolize(address);
}

// src/explore/monitors/lastAccess.ts
var SLOTS5 = 16;
var OBJECT = 0;
var BYTES2 = 1;
var RELEASED = 2;
var PASSED_ON = 3;
var SLOT_WORDS3 = 4;
var LastAccess = class {
  name = "last-access";
  #image;
  #machine;
  #ghosts = 0;
  constructor(image) {
    this.#image = image;
  }
  ghostWords() {
    return SLOTS5 * SLOT_WORDS3;
  }
  attach(machine, ghosts) {
    this.#machine = machine;
    this.#ghosts = ghosts;
  }
  isIdle() {
    for (let slot = 0; slot < SLOTS5; slot++) if (this.#machine.store.w[this.#at(slot) + PASSED_ON] !== 0) return false;
    return true;
  }
  onMark(vcpu, call4, eax, edx) {
    const release = call4 === GUEST_CALLS.release;
    if (!release && call4 !== GUEST_CALLS.arrive && call4 !== GUEST_CALLS.enter) return;
    const { store } = this.#machine;
    const at = this.#slotOf(eax) ?? (release ? this.#slotOf(0) : null);
    if (at === null) {
      if (release) this.#machine.violate("limit", vcpu, `more than ${SLOTS5} objects are released at once`);
      return;
    }
    const self = 1 << vcpu;
    if (release) {
      store.set(at + OBJECT, eax);
      store.set(at + BYTES2, edx);
      store.set(at + RELEASED, store.w[at + RELEASED] | self);
      return;
    }
    const released = store.w[at + RELEASED] & ~self;
    store.set(at + RELEASED, released);
    store.set(at + PASSED_ON, call4 === GUEST_CALLS.enter ? released : store.w[at + PASSED_ON] & ~self);
    if (released === 0) for (const word of [OBJECT, BYTES2, PASSED_ON]) store.set(at + word, 0);
  }
  onAccess(vcpu, physical, sizeBytes, write) {
    this.#judge(vcpu, physical, sizeBytes, write ? "writes" : "reads");
  }
  /** A store behind the release can be executed before another enters, and reach memory after that. */
  onDrain(vcpu, physical, sizeBytes) {
    this.#judge(vcpu, physical, sizeBytes, "has a buffered store reach");
  }
  #judge(vcpu, physical, sizeBytes, verb) {
    const { w } = this.#machine.store;
    for (let slot = 0; slot < SLOTS5; slot++) {
      const at = this.#at(slot);
      if ((w[at + PASSED_ON] & 1 << vcpu) === 0) continue;
      const offset = physical - w[at + OBJECT] | 0;
      if (offset >= w[at + BYTES2] || offset <= -sizeBytes) continue;
      const name = nameOfObject(this.#machine, this.#image, w[at + OBJECT]);
      return this.#machine.violate("access-after-release", vcpu, `${verb} ${name} after it was released and another vCPU has entered it: it may be gone`);
    }
  }
  #at(slot) {
    return this.#ghosts + slot * SLOT_WORDS3;
  }
  /** First word of the slot of `object` (0: of a free one); null: there is none. */
  #slotOf(object) {
    for (let slot = 0; slot < SLOTS5; slot++) if (this.#machine.store.w[this.#at(slot) + OBJECT] === object) return this.#at(slot);
    return null;
  }
};

// src/explore/monitors/lifetime.ts
var SLOTS6 = 32;
var SLOT_WORDS4 = 3;
var Lifetime = class {
  name = "lifetime";
  #machine;
  /** Number of dead stretches, then each: start, end, who freed it; sorted by start, the rest 0. */
  #ghosts = 0;
  ghostWords() {
    return 1 + SLOTS6 * SLOT_WORDS4;
  }
  attach(machine, ghosts) {
    this.#machine = machine;
    this.#ghosts = ghosts;
  }
  isIdle() {
    return this.#machine.store.w[this.#ghosts] === 0;
  }
  onMark(vcpu, call4, eax, edx) {
    if (call4 !== GUEST_CALLS.free && call4 !== GUEST_CALLS.alloc) return;
    const from = eax >>> 0;
    const to = from + (edx >>> 0);
    const dead = this.#list();
    if (call4 === GUEST_CALLS.alloc) return this.#save(vcpu, dead.flatMap((one) => without(one, from, to)));
    const hit = dead.find((one) => one.from < to && one.to > from);
    if (hit !== void 0)
      return this.#machine.violate("double-free", vcpu, `frees ${this.#machine.symbolize(from)}, which vCPU ${hit.vcpu} freed before`);
    this.#save(vcpu, [...dead, { from, to, vcpu }].sort((a, b) => a.from - b.from));
  }
  onAccess(vcpu, physical, sizeBytes, write) {
    const hit = this.#find(physical, sizeBytes);
    if (hit >= 0) this.#report(vcpu, write ? "writes" : "reads", physical, hit);
  }
  onWalk(vcpu, physical, sizeBytes) {
    const hit = this.#find(physical, sizeBytes);
    if (hit >= 0) this.#report(vcpu, "walks page tables at", physical, hit);
  }
  onDrain(vcpu, physical, sizeBytes) {
    const hit = this.#find(physical, sizeBytes);
    if (hit >= 0 && hit !== vcpu) this.#report(vcpu, "has a buffered store reach", physical, hit);
  }
  onFetch(vcpu, _eip, sizeBytes, physical) {
    const hit = this.#find(physical, sizeBytes);
    if (hit >= 0) this.#report(vcpu, "executes", physical, hit);
  }
  #report(vcpu, verb, address, freedBy) {
    this.#machine.violate("use-after-free", vcpu, `${verb} ${this.#machine.symbolize(address)}, which vCPU ${freedBy} freed`);
  }
  /** Who freed memory that the access touches; -1: all of it is live. */
  #find(address, sizeBytes) {
    const { w } = this.#machine.store;
    const from = address >>> 0;
    for (let k = 0; k < w[this.#ghosts]; k++) {
      const at = this.#ghosts + 1 + k * SLOT_WORDS4;
      if (w[at] >>> 0 < from + sizeBytes && w[at + 1] >>> 0 > from) return w[at + 2];
    }
    return -1;
  }
  #list() {
    const { w } = this.#machine.store;
    return Array.from({ length: w[this.#ghosts] }, (_, k) => {
      const at = this.#ghosts + 1 + k * SLOT_WORDS4;
      return { from: w[at] >>> 0, to: w[at + 1] >>> 0, vcpu: w[at + 2] };
    });
  }
  #save(vcpu, dead) {
    const { store } = this.#machine;
    if (dead.length > SLOTS6) return this.#machine.violate("limit", vcpu, `more than ${SLOTS6} stretches of memory are free at once`);
    store.set(this.#ghosts, dead.length);
    for (let k = 0; k < SLOTS6; k++) {
      const words = k < dead.length ? [dead[k].from, dead[k].to, dead[k].vcpu] : [0, 0, 0];
      words.forEach((word, i) => store.set(this.#ghosts + 1 + k * SLOT_WORDS4 + i, word));
    }
  }
};
function without(one, from, to) {
  const left = { ...one, to: Math.min(one.to, from) };
  const right = { ...one, from: Math.max(one.from, to) };
  return [left, right].filter((part) => part.from < part.to);
}

// src/explore/monitors/lockOrder.ts
var SLOTS7 = 16;
var OBJECT2 = 0;
var COME = 1;
var QUEUED = 2;
var BEFORE = 3;
var LockOrder = class {
  name = "fifo-order";
  #image;
  #machine;
  #ghosts = 0;
  #vcpus = 0;
  constructor(image) {
    this.#image = image;
  }
  ghostWords(vcpus) {
    return SLOTS7 * (BEFORE + vcpus);
  }
  attach(machine, ghosts) {
    this.#machine = machine;
    this.#ghosts = ghosts;
    this.#vcpus = machine.vcpuCount;
  }
  onMark(vcpu, call4, eax) {
    switch (call4) {
      case GUEST_CALLS.arrive:
        return this.#arrive(vcpu, eax);
      case GUEST_CALLS.queued:
        return this.#queued(vcpu, eax);
      case GUEST_CALLS.enter:
        return this.#enter(vcpu, eax);
    }
  }
  #arrive(vcpu, object) {
    const at = this.#slotOf(object) ?? this.#slotOf(0);
    if (at === null) return this.#machine.violate("limit", vcpu, `more than ${SLOTS7} objects are waited for at once`);
    const { store } = this.#machine;
    store.set(at + OBJECT2, object);
    store.set(at + COME, store.w[at + COME] | 1 << vcpu);
    store.set(at + QUEUED, store.w[at + QUEUED] & ~(1 << vcpu));
    store.set(at + BEFORE + vcpu, store.w[at + QUEUED]);
    for (let v = 0; v < this.#vcpus; v++) if (v !== vcpu) store.set(at + BEFORE + v, store.w[at + BEFORE + v] & ~(1 << vcpu));
  }
  #queued(vcpu, object) {
    const at = this.#slotOf(object);
    const { store } = this.#machine;
    if (at === null || (store.w[at + COME] & 1 << vcpu) === 0)
      return this.#machine.violate("bad-call", vcpu, `XM_QUEUED(${nameOfObject(this.#machine, this.#image, object)}) without XM_ARRIVE before it`);
    store.set(at + QUEUED, store.w[at + QUEUED] | 1 << vcpu);
  }
  #enter(vcpu, object) {
    const at = this.#slotOf(object);
    const { store } = this.#machine;
    if (at === null || (store.w[at + COME] & 1 << vcpu) === 0) return;
    const before2 = store.w[at + BEFORE + vcpu];
    if (before2 !== 0 && (store.w[at + QUEUED] & 1 << vcpu) !== 0) {
      const first = 31 - Math.clz32(before2 & -before2);
      const name = nameOfObject(this.#machine, this.#image, object);
      return this.#machine.violate("fifo-order", vcpu, `enters ${name} before vCPU ${first}, which was in the queue when it came`);
    }
    const rest = store.w[at + COME] & ~(1 << vcpu);
    store.set(at + COME, rest);
    store.set(at + QUEUED, store.w[at + QUEUED] & ~(1 << vcpu));
    store.set(at + BEFORE + vcpu, 0);
    for (let v = 0; v < this.#vcpus; v++) store.set(at + BEFORE + v, store.w[at + BEFORE + v] & ~(1 << vcpu));
    if (rest === 0) store.set(at + OBJECT2, 0);
  }
  /** First word of the slot of `object` (0: of a free one); null: there is none. */
  #slotOf(object) {
    for (let slot = 0; slot < SLOTS7; slot++) {
      const at = this.#ghosts + slot * (BEFORE + this.#vcpus);
      if (this.#machine.store.w[at + OBJECT2] === object) return at;
    }
    return null;
  }
};

// src/explore/monitors/mutualExclusion.ts
var SLOTS8 = 16;
var MutualExclusion = class {
  name = "mutual-exclusion";
  #image;
  #machine;
  /** Pairs: address of the object, owner + 1. */
  #ghosts = 0;
  constructor(image) {
    this.#image = image;
  }
  ghostWords() {
    return SLOTS8 * 2;
  }
  attach(machine, ghosts) {
    this.#machine = machine;
    this.#ghosts = ghosts;
  }
  onMark(vcpu, call4, eax) {
    const leaves = call4 === GUEST_CALLS.leave || call4 === GUEST_CALLS.release;
    if (call4 !== GUEST_CALLS.enter && !leaves) return;
    const { store } = this.#machine;
    let free = -1;
    for (let slot = 0; slot < SLOTS8; slot++) {
      const at = this.#ghosts + slot * 2;
      const owner = store.w[at + 1];
      if (owner === 0) {
        if (free < 0) free = at;
        continue;
      }
      if (store.w[at] !== eax) continue;
      if (leaves && owner === vcpu + 1) {
        store.set(at, 0);
        store.set(at + 1, 0);
        return;
      }
      const verb = leaves ? "leaves" : "enters";
      return this.#machine.violate("mutual-exclusion", vcpu, `${verb} ${this.#nameOf(eax)}, which vCPU ${owner - 1} owns`);
    }
    if (leaves)
      return this.#machine.violate("mutual-exclusion", vcpu, `leaves ${this.#nameOf(eax)}, which nobody owns`);
    if (free < 0) return this.#machine.violate("limit", vcpu, `more than ${SLOTS8} objects are owned at once`);
    store.set(free, eax);
    store.set(free + 1, vcpu + 1);
  }
  #nameOf(address) {
    return nameOfObject(this.#machine, this.#image, address);
  }
};

// src/explore/monitors/patchSite.ts
var PatchSites = class {
  name = "patch-site";
  watches;
  #sites = /* @__PURE__ */ new Map();
  #forms = /* @__PURE__ */ new Map();
  /** Every site address once: its ghost word holds where the bytes are that it must have, 0: not said. */
  #patched;
  #ghosts = 0;
  #machine;
  constructor(image) {
    for (const site of image.sites) {
      if (site.forms !== void 0) this.#forms.set(site, site.forms.map(cutForm));
      for (let b = 0; b < site.sizeBytes; b++) {
        const at = site.address + b >>> 0;
        this.#sites.set(at, [...this.#sites.get(at) ?? [], site]);
      }
    }
    this.watches = [...this.#sites.keys()];
    this.#patched = [...new Set(image.sites.map((site) => site.address >>> 0))];
  }
  ghostWords() {
    return this.#patched.length;
  }
  attach(machine, ghosts) {
    this.#machine = machine;
    this.#ghosts = ghosts;
  }
  onMark(vcpu, call4, eax, edx) {
    if (call4 !== GUEST_CALLS.patched) return;
    const k = this.#patched.indexOf(eax >>> 0);
    if (k < 0) return this.#machine.violate("bad-call", vcpu, `XM_PATCHED(${this.#machine.symbolize(eax)}): there is no site`);
    this.#machine.store.set(this.#ghosts + k, edx);
  }
  onExecute(vcpu, eip, op) {
    for (const site of this.#sites.get(eip) ?? []) {
      if (site.forms === void 0) this.#judgeTarget(vcpu, eip, op, site);
      else this.#judgeForm(vcpu, eip, op, site);
      this.#judgeAge(vcpu, eip, op, site);
    }
  }
  #judgeTarget(vcpu, eip, op, site) {
    const machine = this.#machine;
    if (eip !== site.address >>> 0)
      return machine.violate("torn-instruction", vcpu, `executes from the middle of site ${site.name}, at ${machine.symbolize(eip)}`);
    const name = nameOf(op);
    if (name === "int3" && site.int3) return this.#count(site, "int3");
    const jumps = (name === "call" || name === "jmp") && op.a.kind === IMM && op.length === site.sizeBytes;
    const nop2 = name === "nop" && op.length === site.sizeBytes;
    if (!jumps && !nop2)
      return machine.violate("torn-instruction", vcpu, `site ${site.name} was executed as \`${name}\` of ${op.length} bytes`);
    const target = eip + op.length + (jumps ? op.a.value : 0) >>> 0;
    if (site.targets.some((allowed2) => allowed2 >>> 0 === target)) return this.#count(site, machine.symbolize(target));
    const allowed = site.targets.map((one) => machine.symbolize(one)).join(" or ");
    machine.violate("illegal-target", vcpu, `site ${site.name} ${name}s ${machine.symbolize(target)}; allowed is ${allowed}`);
  }
  #judgeForm(vcpu, eip, op, site) {
    const machine = this.#machine;
    const offset = eip - (site.address >>> 0);
    if (site.int3 && offset === 0 && nameOf(op) === "int3") return this.#count(site, "int3");
    const bytes = machine.executedBytes(vcpu, op.length);
    const found2 = this.#forms.get(site).filter(({ instructions }) => equal(instructions.get(offset), bytes));
    if (found2.length === 0) {
      const where = offset === 0 ? "" : ` at offset ${offset}`;
      return machine.violate("torn-instruction", vcpu, `site ${site.name}${where} was executed as \`${hex3(bytes)}\` (${nameOf(op)}): no form has that there`);
    }
    if (offset === 0) for (const form2 of found2) this.#count(site, `form ${form2.name}`);
  }
  #judgeAge(vcpu, eip, op, site) {
    const machine = this.#machine;
    if (machine.violation !== null) return;
    const wanted = machine.store.w[this.#ghosts + this.#patched.indexOf(site.address >>> 0)];
    if (wanted === 0) return;
    const offset = eip - (site.address >>> 0);
    const at = machine.memory.index(wanted + offset);
    const bytes = machine.executedBytes(vcpu, op.length);
    if (at < 0 || !equal(machine.memory.u8.subarray(at, at + bytes.length), bytes))
      machine.violate("stale-code", vcpu, `site ${site.name} was executed as \`${hex3(bytes)}\` (${nameOf(op)}) after it was said to be patched`);
  }
  #count(site, what) {
    const key = `${site.name}>${what}`;
    const sites = this.#machine.coverage.sites;
    sites.set(key, (sites.get(key) ?? 0) + 1);
  }
};
function cutForm({ name, bytes }) {
  const instructions = /* @__PURE__ */ new Map();
  for (let at = 0; at < bytes.length; ) {
    const { length } = decode(bytes, at, bytes.length - at, true);
    if (length === 0) break;
    instructions.set(at, bytes.subarray(at, at + length));
    at += length;
  }
  return { name, instructions };
}
var nameOf = (op) => op.row?.mnemonic ?? "(no instruction)";
var hex3 = (bytes) => [...bytes].map((byte2) => byte2.toString(16).padStart(2, "0")).join(" ");
function equal(a, b) {
  return a !== void 0 && a.length === b.length && a.every((byte2, k) => byte2 === b[k]);
}

// src/explore/monitors/savedEip.ts
var SLOTS9 = 32;
var SLOT_WORDS5 = 3;
var SavedEips = class {
  name = "saved-eip";
  watches;
  #sites;
  #machine;
  /** Number of saved EIPs, then each: place, EIP, vCPU that saved it; sorted by place, the rest 0. */
  #ghosts = 0;
  constructor(image) {
    this.#sites = image.sites;
    this.watches = image.sites.flatMap(({ address, sizeBytes }) => Array.from({ length: sizeBytes }, (_, b) => address + b >>> 0));
  }
  ghostWords() {
    return this.#sites.length === 0 ? 0 : 1 + SLOTS9 * SLOT_WORDS5;
  }
  attach(machine, ghosts) {
    this.#machine = machine;
    this.#ghosts = ghosts;
  }
  isIdle() {
    return this.#sites.length === 0 || this.#machine.store.w[this.#ghosts] === 0;
  }
  onInterrupt(vcpu, place, eip) {
    if (this.#sites.length > 0) this.#keep({ place, eip, vcpu });
  }
  onExecute(vcpu, eip, op) {
    if (op.row?.mnemonic !== "call") return;
    const next = eip + op.length >>> 0;
    if (!this.#sites.some((site) => isBehind(site, eip) && isInside(site, next))) return;
    const { r } = this.#machine.cpus[vcpu];
    this.#keep({ place: r[SEG_BASE + SS] + r[ESP] - 4 >>> 0, eip: next, vcpu });
  }
  onReturn(vcpu, place) {
    if (this.isIdle()) return;
    const list = this.#list();
    const found2 = list.find((one) => one.place === place);
    if (found2 === void 0) return;
    this.#noteAccess(found2.eip);
    this.#save(vcpu, list.filter((one) => one !== found2));
  }
  onWrite(vcpu, physical, sizeBytes, low, high) {
    if (this.isIdle()) return;
    const { memory } = this.#machine;
    for (const site of this.#sites) {
      const from = Math.max(physical, site.address >>> 0);
      const to = Math.min(physical + sizeBytes, (site.address >>> 0) + site.sizeBytes);
      if (from >= to) continue;
      const byte2 = (at) => (at - physical < 4 ? low >>> (at - physical) * 8 : high >>> (at - physical - 4) * 8) & 255;
      const old = (at) => memory.u8[memory.index(at)];
      let last = -1;
      for (let at = from; at < to; at++) if (byte2(at) !== old(at)) last = at;
      const found2 = this.#list().find((one) => isInside(site, this.#presentOf(one)) && last >= this.#presentOf(one));
      if (found2 !== void 0)
        return this.#machine.violate("saved-eip", vcpu, `rewrites site ${site.name}, into which vCPU ${found2.vcpu} will return, to ${this.#machine.symbolize(this.#presentOf(found2))}`);
    }
  }
  onMark(vcpu, call4, eax, edx) {
    if (call4 !== GUEST_CALLS.free || this.isIdle()) return;
    const found2 = this.#list().find((one) => this.#presentOf(one) - (eax >>> 0) >= 0 && this.#presentOf(one) - (eax >>> 0) < edx >>> 0);
    if (found2 !== void 0)
      this.#machine.violate("saved-eip", vcpu, `frees ${this.#machine.symbolize(eax)}, and vCPU ${found2.vcpu} will return to ${this.#machine.symbolize(this.#presentOf(found2))}`);
  }
  /** A handler may have changed where it returns to. */
  #presentOf({ place, eip }) {
    const { memory, cpus } = this.#machine;
    const at = memory.index(place);
    if (at < 0) return eip;
    let value = memory.load(at, 4);
    for (let v = 0; v < cpus.length; v++) value = this.#machine.buffer(v).forward(place, 4, value);
    return value >>> 0;
  }
  #keep(saved2) {
    this.#noteAccess(saved2.eip);
    if (this.#sites.some((site) => isInside(site, saved2.eip))) this.#machine.pause();
    this.#save(saved2.vcpu, [...this.#list().filter((one) => one.place !== saved2.place), saved2].sort((a, b) => a.place - b.place));
  }
  /** What is saved, and when it no longer is, is ordered with writes to what it leads into. */
  #noteAccess(eip) {
    const { footprint } = this.#machine;
    footprint.add(FP_MEMORY_READ, eip, 1);
    for (const site of this.#sites) if (isInside(site, eip)) footprint.add(FP_MEMORY_READ, site.address, site.sizeBytes);
  }
  #list() {
    const { w } = this.#machine.store;
    return Array.from({ length: w[this.#ghosts] }, (_, k) => {
      const at = this.#ghosts + 1 + k * SLOT_WORDS5;
      return { place: w[at] >>> 0, eip: w[at + 1] >>> 0, vcpu: w[at + 2] };
    });
  }
  #save(vcpu, list) {
    const { store } = this.#machine;
    if (list.length > SLOTS9) return this.#machine.violate("limit", vcpu, `more than ${SLOTS9} contexts are parked at once`);
    const used = Math.max(list.length, store.w[this.#ghosts]);
    store.set(this.#ghosts, list.length);
    for (let k = 0; k < used; k++) {
      const words = k < list.length ? [list[k].place, list[k].eip, list[k].vcpu] : [0, 0, 0];
      words.forEach((word, i) => store.set(this.#ghosts + 1 + k * SLOT_WORDS5 + i, word));
    }
  }
};
var isBehind = (site, eip) => eip >= site.address >>> 0 && eip < (site.address >>> 0) + site.sizeBytes;
var isInside = (site, eip) => isBehind(site, eip) && eip !== site.address >>> 0;

// src/explore/monitors/unmapped.ts
var SLOTS10 = 16;
var Unmapped = class {
  name = "unmapped";
  #machine;
  /** Number of stretches, then first and last page of each, sorted; the rest 0. */
  #ghosts = 0;
  ghostWords() {
    return 1 + SLOTS10 * 2;
  }
  attach(machine, ghosts) {
    this.#machine = machine;
    this.#ghosts = ghosts;
  }
  onMark(vcpu, call4, eax, edx) {
    if (call4 !== GUEST_CALLS.unmapped && call4 !== GUEST_CALLS.mapped) return;
    const first = eax >>> 12;
    const last = (eax >>> 0) + Math.max(edx >>> 0, 1) - 1 >>> 12;
    const others = this.#list().flatMap((one) => [{ ...one, last: Math.min(one.last, first - 1) }, { ...one, first: Math.max(one.first, last + 1) }]).filter((one) => one.first <= one.last);
    this.#save(vcpu, call4 === GUEST_CALLS.mapped ? others : [...others, { first, last }].sort((a, b) => a.first - b.first));
  }
  onTranslation(vcpu, linear, entry, access) {
    const page = linear >>> 12;
    if (!this.#list().some((one) => one.first <= page && page <= one.last) || denied(this.#machine.cpus[vcpu].r, entry, access)) return;
    this.#machine.violate("stale-translation", vcpu, `accesses ${this.#machine.symbolize(linear)} by a translation that the tables no longer hold, after it was said to be gone everywhere`);
  }
  #list() {
    const { w } = this.#machine.store;
    return Array.from({ length: w[this.#ghosts] }, (_, k) => ({ first: w[this.#ghosts + 1 + k * 2], last: w[this.#ghosts + 2 + k * 2] }));
  }
  #save(vcpu, list) {
    const { store } = this.#machine;
    if (list.length > SLOTS10) return this.#machine.violate("limit", vcpu, `more than ${SLOTS10} stretches of pages are unmapped at once`);
    store.set(this.#ghosts, list.length);
    for (let k = 0; k < SLOTS10; k++) {
      store.set(this.#ghosts + 1 + k * 2, list[k]?.first ?? 0);
      store.set(this.#ghosts + 2 + k * 2, list[k]?.last ?? 0);
    }
  }
};

// src/explore/monitors/index.ts
var MONITORS = [
  { name: "patch-site", doc: "illegal-target, torn-instruction: XM_SITE leads to its targets only", make: (image) => new PatchSites(image) },
  { name: "saved-eip", doc: "saved-eip: no site is rewritten, nor code freed, into which somebody will return", make: (image) => new SavedEips(image) },
  { name: "call-count", doc: "lost-call, double-call: XM_CALLS, one call a pass over the site", make: (image) => new CallCount(image) },
  { name: "construction", doc: "under-construction: XM_BUILDING code is not executed until XM_BUILT", make: () => new Construction() },
  { name: "mutual-exclusion", doc: "XM_ENTER and XM_LEAVE: one owner at a time", make: (image) => new MutualExclusion(image) },
  { name: "fifo-order", doc: "XM_ARRIVE and XM_QUEUED: who was in the queue before another came enters before it", make: (image) => new LockOrder(image) },
  { name: "last-access", doc: "access-after-release: XM_RELEASE is followed by no access once another has entered", make: (image) => new LastAccess(image) },
  { name: "lifetime", doc: "use-after-free, double-free: XM_FREE and XM_ALLOC", make: () => new Lifetime() },
  { name: "unmapped", doc: "stale-translation: XM_UNMAPPED pages are not accessed through a cached translation", make: () => new Unmapped() }
];
function monitorsFor(image) {
  return MONITORS.map(({ make }) => make(image));
}

// src/explore/workshop.ts
var Workshop = class {
  image;
  model;
  sharing;
  coverage = { points: /* @__PURE__ */ new Map(), sites: /* @__PURE__ */ new Map(), cut: 0 };
  #pages;
  constructor(image, model) {
    this.image = image;
    this.model = model;
    this.#pages = new PageMap(image.regions);
    this.sharing = new Sharing(this.#pages.sizeBytes / 4, image.vcpus.length);
  }
  /** A machine in its initial state. */
  make = () => {
    const { image, model, sharing, coverage } = this;
    return new Machine(image, model, { monitors: monitorsFor(image), sharing, pages: this.#pages, coverage });
  };
  /** One whose executions are not counted. */
  makeAside = () => {
    const { image, model, sharing } = this;
    return new Machine(image, model, { monitors: monitorsFor(image), sharing, pages: this.#pages });
  };
};

// src/explore/parallel/worker.ts
function teach(workshop, waitPlaces, { learnt, waitPlaces: places }) {
  const before2 = waitPlaces.size;
  for (const place of places) waitPlaces.add(place);
  const grown3 = workshop.sharing.learn(learnt);
  workshop.sharing.grown = false;
  return grown3 || waitPlaces.size > before2;
}

// src/explore/parallel/taskSearch.ts
var RESTARTS_MAX = 1e3;
var PARTS_A_SHARD = 16;
var TaskSearch = class {
  #workshop;
  #limits;
  #shard;
  #taskEvents;
  #ports;
  /** By port: what it is at, null: nothing; and events and executions that it has reported of it. */
  #underWay;
  #live;
  #waitPlaces = /* @__PURE__ */ new Set();
  #started = performance.now();
  #secondsBefore;
  #pending = [];
  #run = null;
  #totals = noTotals();
  #done = 0;
  #epoch = 0;
  #restarts = 0;
  #over = false;
  #problem = null;
  #found = null;
  #wake = null;
  /** Something was said since the last turn. */
  #news = false;
  constructor(workshop, { limits, ports = [], shard, saved: saved2, taskEvents = TASK_EVENTS }) {
    this.#workshop = workshop;
    this.#limits = limits;
    this.#shard = shard ?? null;
    this.#taskEvents = taskEvents;
    this.#ports = ports;
    this.#underWay = ports.map(() => null);
    this.#live = ports.map(() => ({ events: 0, executions: 0 }));
    this.#secondsBefore = saved2?.seconds ?? 0;
    ports.forEach((port, k) => {
      port.onMessage = (message) => this.#receive(k, message);
      port.post({ kind: "begin", image: workshop.image, knobs: workshop.model.knobs, taskEvents });
    });
    if (saved2 !== void 0) teach(workshop, this.#waitPlaces, saved2);
    if (saved2 === void 0 || saved2.fresh === true) this.#begin();
    else {
      this.#pending = [...saved2.tasks];
      addTotals(this.#totals, saved2.totals);
      this.#done = saved2.done;
      this.#found = saved2.found;
      this.#over = saved2.found !== null;
      this.#announce();
    }
  }
  /** Lists the tasks from the start, with what is known by now. */
  #begin() {
    this.#run = null;
    this.#totals = noTotals();
    this.#done = 0;
    this.#pending = [{ task: WHOLE, weight: 1 }];
    if (this.#shard !== null) {
      const { index, of } = this.#shard;
      const make = (task) => new DporSearch(this.#workshop.make, { task, waitPlaces: this.#waitPlaces, restart: false });
      const parts = cutTask(make, WHOLE, of * PARTS_A_SHARD);
      this.#workshop.coverage.points.clear();
      this.#workshop.coverage.sites.clear();
      if ("kind" in parts) return this.#ended(parts, { task: WHOLE, weight: 1 });
      this.#pending = parts.filter((_, k) => k % of === index - 1).map((task, _, mine) => ({ task, weight: 1 / mine.length }));
    }
    this.#announce();
  }
  /** Tells the workers what is known. */
  #announce() {
    this.#epoch++;
    const knowledge = { learnt: this.#workshop.sharing.learnt(), waitPlaces: [...this.#waitPlaces] };
    for (const port of this.#ports) port.post({ kind: "learnt", epoch: this.#epoch, knowledge });
    this.#underWay.fill(null);
    for (const live of this.#live) live.events = live.executions = 0;
  }
  advance() {
    this.#news = false;
    this.#checkLimits();
    if (this.#over) return this.#close();
    if (this.#ports.length === 0) this.#advanceHere();
    else this.#handOut();
    return this.#over ? this.#close() : true;
  }
  #close() {
    for (const port of this.#ports) port.close();
    return false;
  }
  #advanceHere() {
    const next = this.#pending.at(-1);
    if (next === void 0) {
      this.#over = true;
      return;
    }
    this.#run ??= new TaskRun(this.#workshop, this.#waitPlaces, next.task, this.#taskEvents);
    const end2 = this.#run.advance();
    if (end2 === null) return;
    this.#run = null;
    this.#pending.pop();
    this.#ended(end2, next);
  }
  #handOut() {
    this.#ports.forEach((port, k) => {
      if (this.#underWay[k] !== null) return;
      const next = this.#pending.pop();
      if (next === void 0) return;
      this.#underWay[k] = next;
      port.post({ kind: "task", epoch: this.#epoch, task: next.task });
    });
    if (this.#underWay.every((task) => task === null)) this.#over = true;
  }
  #receive(k, message) {
    if (message.kind === "broken") {
      this.#problem ??= `a worker failed: ${message.message}`;
      this.#over = true;
    } else if (message.epoch === this.#epoch && !this.#over) {
      if (message.kind === "progress") {
        this.#live[k].events = message.events;
        this.#live[k].executions = message.executions;
      } else {
        const task = this.#underWay[k];
        this.#underWay[k] = null;
        this.#live[k].events = this.#live[k].executions = 0;
        const grown3 = message.knowledge !== null && teach(this.#workshop, this.#waitPlaces, message.knowledge);
        this.#ended(grown3 ? { kind: "grown" } : message.end, task);
      }
    }
    this.#news = true;
    this.#wake?.();
  }
  #ended(end2, { weight }) {
    switch (end2.kind) {
      case "explored":
        addTotals(this.#totals, end2.totals);
        this.#done += weight;
        return;
      case "cut":
        addTotals(this.#totals, end2.totals);
        for (const task of end2.parts.toReversed()) this.#pending.push({ task, weight: weight / end2.parts.length });
        return;
      case "violated":
        addTotals(this.#totals, end2.totals);
        this.#found = end2.found;
        this.#over = true;
        return;
      case "grown":
        this.#workshop.sharing.grown = false;
        if (this.#restarts++ < RESTARTS_MAX) return this.#begin();
        this.#problem = "the set of shared memory did not settle";
        this.#over = true;
        return;
      case "failed":
        this.#problem = end2.reason;
        this.#over = true;
    }
  }
  /** Until a worker has something to say; null where nobody else works. */
  waiting() {
    if (this.#ports.length === 0 || this.#over || this.#news) return null;
    return new Promise((resolve) => this.#wake = resolve);
  }
  stop() {
    this.#problem ??= "the search was interrupted";
    this.#over = true;
    this.#wake?.();
  }
  #checkLimits() {
    const { seconds, events, memory } = this.#limits;
    if (this.#over) return;
    if (seconds !== void 0 && (performance.now() - this.#started) / 1e3 > seconds) this.#problem = "the time was over";
    if (events !== void 0 && this.#totals.events + this.#totals.repeated > events) this.#problem = "the limit of events was reached";
    if (memory?.isOver() === true) this.#problem = memory.reason;
    if (this.#problem !== null) this.#over = true;
  }
  /** What has been explored so far, in such a way that a search can be made that goes on from there. */
  save() {
    const underWay = this.#underWay.filter((task) => task !== null);
    return {
      tasks: [...this.#pending, ...underWay],
      totals: this.#totals,
      learnt: this.#workshop.sharing.learnt(),
      waitPlaces: [...this.#waitPlaces],
      done: this.#done,
      seconds: this.seconds,
      found: this.#found
    };
  }
  get seconds() {
    return this.#secondsBefore + (performance.now() - this.#started) / 1e3;
  }
  /** Every task has been explored, or a violation was found. */
  get complete() {
    return this.#over && this.#problem === null;
  }
  counts() {
    return this.#totals;
  }
  /** What was reached, for coverage. */
  get reached() {
    return this.#totals;
  }
  progress() {
    const live = this.#live.reduce((sum2, one) => sum2 + one.events, this.#run?.events ?? 0);
    const executions = this.#live.reduce((sum2, one) => sum2 + one.executions, this.#run?.executions ?? 0);
    const events = this.#totals.events + this.#totals.repeated + live;
    return { states: events, events, preemptions: 0, executions: this.#totals.complete + executions, done: this.#done };
  }
  verdict() {
    return taskVerdict(this.#totals, this.#found, this.#over ? this.#problem : "the search has not ended", this.seconds);
  }
};
function taskVerdict(totals, found2, problem, seconds) {
  const orders = new Orders();
  orders.addAll(totals.orders);
  const common = {
    orders: { pairs: orders.pairs, both: orders.both },
    bounds: {},
    states: totals.events + 1,
    executions: totals.complete,
    events: totals.events,
    seconds,
    engine: "dpor",
    cost: null,
    others: { discarded: totals.discarded, redundant: totals.redundant, cut: totals.cut, endless: totals.endless }
  };
  if (found2 !== null)
    return { ...common, verdict: "violated", strength: "complete", reasons: [], ...found2 };
  const problems = [problem, totals.endless === 0 ? null : describeEndless(totals.endless)].filter((one) => one !== null);
  return {
    ...common,
    verdict: problems.length === 0 ? "holds" : "unknown",
    strength: problems.length > 0 || totals.weaknesses.size > 0 ? "bounded" : "complete",
    reasons: [...problems, ...totals.weaknesses],
    violation: null,
    schedule: null
  };
}

// src/explore/sampling/walkOrders.ts
function isTouching(machine) {
  return "footprint" in machine;
}
var WalkOrders = class {
  orders = new Orders();
  /** Granule (physical address / 4) to the party that wrote it last, -1 where none has, and those that have read it since. */
  #last = /* @__PURE__ */ new Map();
  /** Another execution begins. */
  begin() {
    this.#last.clear();
  }
  /** A step has been taken. */
  note(choice, { words, length }) {
    const process2 = choiceVcpu(choice) * 2 + (choiceKind(choice) === DRAIN ? 1 : 0);
    for (let at = 0; at < length; at += FP_WORDS) {
      const write = words[at] === FP_WRITE;
      if (!write && words[at] !== FP_MEMORY_READ && !(words[at] === FP_READ && words[at + 3] < 0)) continue;
      const last = words[at + 1] + Math.max(1, words[at + 2]) - 1 >>> 2;
      for (let granule = words[at + 1] >>> 2; granule <= last; granule++) this.#access(process2, granule, write);
    }
  }
  #access(process2, granule, write) {
    const party = Orders.party(process2, granule * 2 + (write ? 1 : 0));
    let known = this.#last.get(granule);
    if (known === void 0) this.#last.set(granule, known = { writer: -1, readers: [] });
    const others = write ? [known.writer, ...known.readers] : [known.writer];
    for (const other of others) if (other >= 0 && Math.floor(other / 2 ** 32) !== process2 >> 1) this.orders.note(other, party);
    if (write) {
      known.writer = party;
      known.readers = [];
    } else if (!known.readers.includes(party)) known.readers.push(party);
  }
};

// src/explore/sampling/strategy.ts
var ACTORS_MAX = 3 * 256;
function actorOf(choice) {
  const kind = choiceKind(choice);
  return 3 * choiceVcpu(choice) + (kind === RUN ? 0 : kind === DRAIN ? 1 : 2);
}
function drawOf(actor, choices, count, draw) {
  let ways = 0;
  for (let k = 0; k < count; k++) if (actorOf(choices[k]) === actor) ways++;
  let left = ways === 1 ? 0 : draw(ways);
  for (let k = 0; k < count; k++) if (actorOf(choices[k]) === actor && left-- === 0) return k;
  throw new Error(`actor ${actor} has no choice`);
}

// src/explore/sampling/pct.ts
var PRIORITY_BITS = 24;
var Pct = class {
  name;
  #depth;
  #draw;
  /** Events of the longest execution that ended, of all strategies. */
  #steps;
  #priorities = new Float64Array(ACTORS_MAX);
  #waits = new Uint8Array(ACTORS_MAX);
  #actors = /* @__PURE__ */ new Set();
  #actorsMax = 1;
  #changes = [];
  #event = 0;
  /** States that the actor which goes on has come to, alone. */
  #own = /* @__PURE__ */ new Set();
  #last = -1;
  #executions = 0;
  #logMissed = 0;
  #k = 1;
  constructor(depth, draw, steps2) {
    this.name = `pct:${depth}`;
    this.#depth = depth;
    this.#draw = draw;
    this.#steps = steps2;
  }
  begin() {
    for (const actor of this.#actors) this.#priorities[actor] = this.#waits[actor] = 0;
    this.#actors = /* @__PURE__ */ new Set();
    this.#own.clear();
    this.#last = -1;
    this.#event = 0;
    this.#k = Math.max(1, this.#steps());
    const changes = /* @__PURE__ */ new Set();
    while (changes.size < Math.min(this.#depth - 1, this.#k)) changes.add(this.#draw(this.#k));
    this.#changes = [...changes];
  }
  pick(_machine, choices, count) {
    let best = this.#highest(choices, count);
    if (best < 0) {
      this.#waits.fill(0);
      best = this.#highest(choices, count);
    }
    const change = this.#changes.indexOf(this.#event);
    if (change >= 0) {
      this.#priorities[best] = (change + 1) / (this.#changes.length + 1);
      best = this.#highest(choices, count);
    }
    this.#event++;
    return drawOf(best, choices, count, this.#draw);
  }
  #highest(choices, count) {
    let best = -1;
    for (let k = 0; k < count; k++) {
      const actor = actorOf(choices[k]);
      if (!this.#actors.has(actor)) {
        this.#actors.add(actor);
        this.#priorities[actor] = 1 + this.#draw(1 << PRIORITY_BITS);
      }
      if (this.#waits[actor] === 0 && (best < 0 || this.#priorities[actor] > this.#priorities[best])) best = actor;
    }
    return best;
  }
  taken(machine, choice) {
    const actor = actorOf(choice);
    if (actor !== this.#last) this.#own.clear();
    this.#last = actor;
    if (actor % 3 === 2) this.#priorities[actor] = 1 + this.#draw(1 << PRIORITY_BITS);
    const { effect } = machine;
    if (effect !== false) this.#wakeOthers(actor);
    const state = machine.store.h0 * 2 ** 20 + (machine.store.h1 & 1048575);
    if (this.#own.has(state)) this.#waits[actor] = 1;
    this.#own.add(state);
  }
  #wakeOthers(actor) {
    for (const other of this.#actors) if (other !== actor) this.#waits[other] = 0;
  }
  end(events, ended) {
    if (!ended || events > this.#k) return;
    this.#actorsMax = Math.max(this.#actorsMax, this.#actors.size);
    this.#executions++;
    this.#logMissed += Math.log1p(-1 / (this.#actorsMax * this.#k ** (this.#depth - 1)));
  }
  guarantee() {
    return { depth: this.#depth, executions: this.#executions, actors: this.#actorsMax, steps: this.#k, missed: Math.exp(this.#logMissed) };
  }
};

// src/explore/sampling/pos.ts
function pos(draw) {
  const priorities = new Float64Array(ACTORS_MAX);
  const known = new Uint8Array(ACTORS_MAX);
  const listed = [];
  const here = { physical: 0, sizeBytes: 0, writes: false, signals: true };
  const there = { physical: 0, sizeBytes: 0, writes: false, signals: true };
  const renew = (actor) => {
    known[actor] = 1;
    priorities[actor] = 1 + draw(2147483647);
  };
  return {
    name: "pos",
    begin: () => known.fill(0),
    pick(machine, choices, count) {
      let best = -1;
      listed.length = 0;
      for (let k = 0; k < count; k++) {
        const actor = actorOf(choices[k]);
        if (known[actor] === 0) renew(actor);
        if (best < 0 || priorities[actor] > priorities[best]) best = actor;
        listed.push(choices[k]);
      }
      const picked = drawOf(best, choices, count, draw);
      const tells = "accessOf" in machine;
      if (tells) machine.accessOf(choices[picked], here);
      for (const choice of listed) {
        if (tells) machine.accessOf(choice, there);
        if (!tells || conflict(here, there)) renew(actorOf(choice));
      }
      known[best] = 0;
      return picked;
    },
    taken: () => {
    },
    end: () => {
    }
  };
}
function conflict(a, b) {
  if (a.signals || b.signals) return true;
  if (!a.writes && !b.writes) return false;
  return a.physical < b.physical + b.sizeBytes && b.physical < a.physical + a.sizeBytes;
}

// src/explore/sampling/walk.ts
function walk2(draw) {
  return { name: "random", begin: () => {
  }, pick: (_machine, _choices, count) => draw(count), taken: () => {
  }, end: () => {
  } };
}

// src/explore/sampling/search.ts
var SAMPLERS = ["random", "pct", "pos", "portfolio"];
var SLICE_EVENTS3 = 65536;
var PCT_DEPTHS = [1, 2, 3];
var MEASURING = 10;
var ROUNDS_MAX = 20;
var SamplingSearch = class {
  #makeMachine;
  #options;
  #sampler;
  #started = performance.now();
  #choices = new Int32Array(CHOICES_MAX);
  #seen = /* @__PURE__ */ new Set();
  #orders = new WalkOrders();
  #strategies = [];
  #measuring = null;
  #machine;
  #events = 0;
  #executions = 0;
  /** Events of the longest execution that ended; executions that did not. */
  #longest = 0;
  #open = 0;
  #schedule = [];
  #stopped = null;
  #outOfMemory = null;
  #round = null;
  constructor(makeMachine, options) {
    this.#makeMachine = makeMachine;
    this.#options = options;
    this.#sampler = options.sampler ?? "random";
    this.#machine = makeMachine();
    this.#begin();
  }
  #begin() {
    const random = generator(this.#options.seed);
    const draw = (below) => random() % below;
    const pcts = PCT_DEPTHS.map((depth) => new Pct(depth, draw, () => this.#longest || this.#options.stepsMax));
    const measures = this.#sampler === "pct" || this.#sampler === "portfolio";
    this.#strategies = { random: [walk2(draw)], pos: [pos(draw)], pct: pcts, portfolio: [walk2(draw), pos(draw), ...pcts] }[this.#sampler];
    this.#measuring = measures ? walk2(draw) : null;
    this.#executions = 0;
    this.#longest = 0;
    this.#open = 0;
  }
  advance() {
    const { seconds = Infinity, executions, memory } = this.#options;
    if (memory?.isOver() === true) this.#outOfMemory = this.#stopped = memory.reason;
    const until = this.#events + SLICE_EVENTS3;
    while (this.#executions < executions && this.#stopped === null) {
      const ended = this.#walk();
      const { violation, sharing } = this.#machine;
      if (sharing.grown) {
        this.#machine = remake(this.#machine, this.#makeMachine);
        this.#begin();
      } else {
        this.#executions++;
        if (violation !== null || !ended && this.#goesRound()) return false;
        for (let k = 0; k < this.#schedule.length; k++) this.#machine.undo();
      }
      if ((performance.now() - this.#started) / 1e3 > seconds) this.#stopped = "the time was over";
      if (this.#events > until) return true;
    }
    return false;
  }
  /** One execution. @returns whether it came to its end */
  #walk() {
    const machine = this.#machine;
    const n = this.#executions;
    const strategy = n < MEASURING && this.#measuring !== null ? this.#measuring : this.#strategies[n % this.#strategies.length];
    this.#schedule = [];
    this.#orders.begin();
    strategy.begin();
    let current = -1;
    let left = this.#options.preemptions ?? Infinity;
    let ended = false;
    while (this.#schedule.length < this.#options.stepsMax && machine.violation === null) {
      const count = this.#affordable(machine.enabled(this.#choices), current, left);
      if (count === 0) {
        ended = true;
        break;
      }
      const choice = this.#choices[strategy.pick(machine, this.#choices, count)];
      left -= unpackCost(costOf(machine, choice, current)).preemptions;
      if (choiceKind(choice) !== DRAIN) current = choiceVcpu(choice);
      const outcome = machine.take(choice);
      if (isTouching(machine)) this.#orders.note(choice, machine.footprint);
      this.#schedule.push(choice);
      this.#events++;
      this.#seen.add(machine.store.h0 * 2 ** 20 + (machine.store.h1 & 1048575));
      if (outcome === 0) strategy.taken(machine, choice);
    }
    if (ended) this.#longest = Math.max(this.#longest, this.#schedule.length);
    else if (machine.violation === null) this.#open++;
    strategy.end(this.#schedule.length, ended);
    return ended;
  }
  /** Keeps of the first `count` choices those that need no more preemptions than are `left`. */
  #affordable(count, current, left) {
    if (left > 0) return count;
    let kept = 0;
    for (let k = 0; k < count; k++)
      if (unpackCost(costOf(this.#machine, this.#choices[k], current)).preemptions === 0) this.#choices[kept++] = this.#choices[k];
    return kept;
  }
  /** Whether nobody gets on any more after the present execution, which has not ended. */
  #goesRound() {
    const machine = this.#machine;
    const { makeAside } = this.#options;
    if (makeAside === void 0 || !isLive(machine) || this.#open > ROUNDS_MAX) return false;
    const ended = endedOf(machine);
    const victim = Array.from({ length: machine.vcpuCount }, (_, v) => v).find((v) => (ended >>> v & 1) === 0);
    const round = victim === void 0 ? null : goesRound(makeAside, this.#schedule, victim);
    if (round === null || round.violation.kind !== "deadlock" && round.violation.kind !== "lost-wakeup") return false;
    const waiting = whoWaits(makeAside(), round.lasso);
    const violation = waiting.length === 0 ? null : judgeLasso(makeAside(), round.lasso, waiting[0]);
    if (violation === null) return false;
    this.#round = { lasso: round.lasso, violation };
    return true;
  }
  stop() {
    this.#stopped ??= "the sampling was interrupted";
  }
  progress() {
    const { pairs, both } = this.#orders.orders;
    const executions = this.#executions;
    return { states: this.#seen.size, events: this.#events, preemptions: 0, executions, done: executions / this.#options.executions, orders: { pairs, both } };
  }
  verdict() {
    const { violation, weaknesses } = this.#machine;
    const guarantees = this.#options.preemptions === void 0 ? this.#strategies.filter((one) => one instanceof Pct).map((one) => one.guarantee()) : [];
    const common = {
      strength: "sampled",
      bounds: {},
      states: this.#seen.size,
      executions: this.#executions,
      events: this.#events,
      seconds: (performance.now() - this.#started) / 1e3,
      engine: this.#sampler,
      cost: null,
      orders: { pairs: this.#orders.orders.pairs, both: this.#orders.orders.both },
      ...guarantees.length === 0 ? {} : { guarantees }
    };
    if (violation !== null) return { ...common, verdict: "violated", reasons: [], violation, schedule: this.#schedule };
    if (this.#round !== null) {
      const { lasso, violation: round } = this.#round;
      return { ...common, verdict: "violated", reasons: [], violation: round, schedule: lasso.schedule, cycleFrom: lasso.from };
    }
    const reasons = [...weaknesses, ...this.#stopped === null ? [] : [this.#stopped], ...guarantees.map(describe3)];
    if (this.#open > 0) reasons.push(`${this.#open} executions were left after ${this.#options.stepsMax} events, before they ended`);
    const verdict = this.#executions === 0 || this.#outOfMemory !== null ? "unknown" : "holds";
    return { ...common, verdict, reasons, violation: null, schedule: null };
  }
};
function describe3({ depth, executions, actors, steps: steps2, missed }) {
  return `pct, ${executions} executions: a bug of depth ${depth}, in executions of at most ${steps2} events by ${actors} actors and without choices of the environment, was missed with probability ${missed.toPrecision(2)} at most`;
}

// src/explore/check.ts
var ENGINES = ["auto", "graph", "dpor", ...SAMPLERS];
var STATES_MAX = 2e7;
var EXECUTIONS = 1e3;
var STEPS_MAX = 2e3;
function startCheck(image, model, options = {}) {
  const liveness = options.liveness ?? "auto";
  const limits = { states: STATES_MAX, ...options.seed === void 0 ? {} : { seed: options.seed }, ...options.limits };
  const engine = options.engine ?? "graph";
  const { seconds: _, ...untimed } = limits;
  const isLimited = Object.keys(options.limits ?? {}).length > 0;
  const workshops = /* @__PURE__ */ new Map();
  let tasks = null;
  const start = (name, within) => {
    const workshop = new Workshop(image, model);
    const { make, makeAside } = workshop;
    workshops.set(name, workshop);
    if (name === "dpor" && options.tasks !== void 0) return tasks = new TaskSearch(workshop, { ...options.tasks, limits: within });
    if (name === "dpor") return new DporSearch(make, liveness === "off" ? within : { ...within, makeAside });
    if (name === "graph") return liveness === "off" ? new GraphSearch(make, within) : new LiveSearch(make, makeAside, within, liveness, { byCost: isLimited });
    return new SamplingSearch(make, {
      sampler: name,
      seed: options.seed ?? 1,
      executions: options.executions ?? EXECUTIONS,
      stepsMax: options.stepsMax ?? STEPS_MAX,
      makeAside,
      ...within.seconds === void 0 ? {} : { seconds: within.seconds },
      ...within.memory === void 0 ? {} : { memory: within.memory },
      ...within.preemptions === void 0 ? {} : { preemptions: within.preemptions }
    });
  };
  const search = engine === "auto" ? startAuto() : start(engine, limits);
  function startAuto() {
    const graphOnly = limits.preemptions !== void 0 || options.limits?.states !== void 0 || liveness === "progress" || liveness === "termination";
    const { autoEvents } = options;
    const within = autoEvents === void 0 ? untimed : { ...untimed, sliceEvents: autoEvents };
    const contender = (name) => ({ name, start: () => start(name, within) });
    return new AutoSearch({
      exhaustive: graphOnly ? [contender("graph")] : [contender("graph"), contender("dpor")],
      ...autoEvents === void 0 ? {} : { firstEvents: autoEvents },
      sampling: graphOnly ? null : contender("portfolio"),
      ...limits.seconds === void 0 ? {} : { seconds: limits.seconds }
    });
  }
  const shard = options.tasks?.shard ?? null;
  const result = () => {
    const verdict = search.verdict();
    const workshop = workshops.get(search instanceof AutoSearch ? search.engine : engine);
    const { sharing, makeAside } = workshop;
    const coverage = tasks === null ? workshop.coverage : { ...tasks.reached, cut: tasks.reached.cutByAssumption };
    const judged = withCycle(withLiveness(verdict), makeAside);
    return {
      ...shard === null ? withoutVacuity(judged, declaredBy(image), coverage) : asPart(judged, shard),
      models: model.knobs,
      coverage: {
        points: image.points.map((point) => ({
          kind: point.kind,
          text: point.text,
          file: point.file,
          line: point.line,
          evaluations: coverage.points.get(point.id >>> 0) ?? 0
        })),
        sites: [...coverage.sites].map(([key, executions]) => {
          const [site, target] = key.split(">");
          return { site, target, executions };
        }),
        cut: coverage.cut
      },
      sharing
    };
  };
  const checkpoint = () => tasks && { key: keyOf(image, model), title: image.title, knobs: model.knobs, shard, declared: declaredBy(image), state: tasks.save() };
  return {
    advance: () => search.advance(),
    stop: () => search.stop(),
    progress: () => search.progress(),
    result,
    checkpoint,
    waiting: () => search.waiting?.() ?? null
  };
}
function checkImage(image, model, options = {}) {
  const check = startCheck(image, model, options);
  while (check.advance()) options.onProgress?.(check.progress());
  return check.result();
}
function withLiveness(verdict) {
  if (verdict.verdict === "violated") return verdict;
  if (verdict.liveness !== void 0) return { ...verdict, liveness: bounded(verdict.liveness, verdict.strength) };
  const whole2 = verdict.engine === "dpor" && verdict.verdict === "holds";
  return {
    ...verdict,
    liveness: whole2 ? bounded({ covered: "termination", text: "every fair execution ends: no deadlock, lost wake-up, livelock or starvation" }, verdict.strength) : { covered: "none", text: verdict.strength === "sampled" ? "not judged: samples say nothing of runs that go on for ever" : "not judged" }
  };
}
function bounded(liveness, strength) {
  if (liveness.covered === "none" || strength === "complete") return liveness;
  return { ...liveness, text: `${liveness.text} (within the bounds of the verdict)` };
}
function withCycle(verdict, makeMachine) {
  if (verdict.violation === null || verdict.schedule === null || verdict.cycleFrom !== void 0) return verdict;
  const first = goesRound(makeMachine, verdict.schedule, verdict.violation.vcpu);
  if (first === null) return verdict;
  const waiting = whoWaits(makeMachine(), first.lasso);
  if (waiting.length === 0) {
    const { others: _, ...rest } = verdict;
    const reasons = ["there are loops without a way out, which dpor does not handle; use --engine graph"];
    return { ...rest, verdict: "unknown", strength: "bounded", violation: null, schedule: null, reasons };
  }
  const violation = waiting.includes(first.violation.vcpu) ? first.violation : judgeLasso(makeMachine(), first.lasso, waiting[0]);
  return { ...verdict, schedule: first.lasso.schedule, cycleFrom: first.lasso.from, violation };
}
function asPart(verdict, { index, of }) {
  if (verdict.verdict !== "holds") return { ...verdict, vacuous: false };
  const reason = `part ${index} of ${of} is explored, without a violation; xmcheck merge puts the parts together`;
  const liveness = { covered: "none", text: "not judged: this is a part" };
  return { ...verdict, verdict: "unknown", strength: "bounded", reasons: [reason, ...verdict.reasons], liveness, vacuous: false };
}
function declaredBy({ points, sites }) {
  return { points, sites: sites.map(({ name, targets, forms }) => ({ name, targets: targets.length, forms: forms?.length ?? null })) };
}
function withoutVacuity(verdict, declared, coverage) {
  if (verdict.verdict !== "holds") return { ...verdict, vacuous: false };
  const reasons = [];
  for (const point of declared.points)
    if (point.kind !== "fail" && !coverage.points.has(point.id >>> 0)) reasons.push(`vacuous: ${point.file}:${point.line}: ${point.kind} \`${point.text}\` was never reached`);
  for (const site of declared.sites) {
    const prefix = `${site.name}>${site.forms === null ? "" : "form "}`;
    const others = (key) => key.endsWith(">int3") || site.forms === null && key.startsWith(`${prefix}form `);
    const reached = [...coverage.sites.keys()].filter((key) => key.startsWith(prefix) && !others(key)).length;
    const wanted = site.forms ?? site.targets;
    const what = site.forms === null ? "targets" : "forms";
    if (reached < wanted) reasons.push(`vacuous: site ${site.name} was executed with ${reached} of its ${wanted} ${what}`);
  }
  return reasons.length === 0 ? { ...verdict, vacuous: false } : { ...verdict, verdict: "unknown", reasons: [...verdict.reasons, ...reasons], vacuous: true };
}

// src/patching/blocks.ts
var NOPS = {
  // Linux arch/x86/include/asm/nops.h, lengths 1 to 8.
  p6: [
    [144],
    [102, 144],
    [15, 31, 0],
    [15, 31, 64, 0],
    [15, 31, 68, 0, 0],
    [102, 15, 31, 68, 0, 0],
    [15, 31, 128, 0, 0, 0, 0],
    [15, 31, 132, 0, 0, 0, 0, 0]
  ],
  k8: [
    [144],
    [102, 144],
    [102, 102, 144],
    [102, 102, 102, 144],
    [102, 102, 144, 102, 144],
    [102, 102, 144, 102, 102, 144],
    [102, 102, 102, 144, 102, 102, 144],
    [102, 102, 102, 144, 102, 102, 102, 144]
  ],
  generic: [
    [144],
    [137, 246],
    [141, 118, 0],
    [141, 116, 38, 0],
    [144, 141, 116, 38, 0],
    [141, 182, 0, 0, 0, 0],
    [141, 180, 38, 0, 0, 0, 0],
    [144, 141, 180, 38, 0, 0, 0, 0]
  ]
};
var formBytes = (label, bytes) => `${label}: db ${bytes.join(", ")}`;
var copy = ({ label, after, sizeBytes }, from = 0, to = sizeBytes) => Array.from({ length: to - from }, (_, k) => `  mov al, [${after} + ${from + k}]
  mov [${label} + ${from + k}], al`).join("\n");
function copyWide({ label, after, sizeBytes }, from = 0) {
  const lines = [];
  for (let at = from; at < sizeBytes; ) {
    const left = sizeBytes - at;
    const [bytes, register2] = left >= 4 ? [4, "eax"] : left >= 2 ? [2, "ax"] : [1, "al"];
    lines.push(`  mov ${register2}, [${after} + ${at}]
  mov [${label} + ${at}], ${register2}`);
    at += bytes;
  }
  return lines.join("\n");
}
var syncCore = (name) => `  pushfd
  push cs
  push ${name}_synced
  iret
${name}_synced:`;
var SYNC_VECTOR = 240;
function syncOthers(name, vcpus) {
  const others = Array.from({ length: vcpus - 1 }, (_, k) => k + 1);
  return [
    ...others.map((v) => `  mov byte [acknowledged + ${v}], 0
  ipi ${v}, ${SYNC_VECTOR}`),
    ...others.map((v) => `${name}_wait${v}: pause
  cmp byte [acknowledged + ${v}], 0
  je ${name}_wait${v}`)
  ].join("\n");
}
var syncHandler = () => `.handler ${SYNC_VECTOR}, sync_handler
sync_handler: push eax
${syncCore("sync_handler")}
  vcpu
  mov byte [acknowledged + eax], 1
  pop eax
  iret`;
function textPoke(name, sites, vcpus, { sync1, sync2, sync3 }) {
  const sync = (made, n) => made ? [syncOthers(`${name}_sync${n}`, vcpus)] : [];
  return [
    ...sites.map(({ label }) => `  mov byte [${label}], 0xcc`),
    ...sync(sync1, 1),
    ...sites.map((site) => copy(site, 1)),
    ...sync(sync2, 2),
    ...sites.map((site) => copy(site, 0, 1)),
    ...sync(sync3, 3)
  ].join("\n");
}
function pokeHandler(sites, emulate = () => "") {
  const found2 = sites.map((site, k) => `  cmp eax, ${site.label} + 1
  jne poke_other${k}
${emulate(site)}
  mov dword [esp + 4], ${site.label} + ${site.sizeBytes}
  pop eax
  iret
poke_other${k}:`);
  return `.handler 3, poke_handler
poke_handler: push eax
  mov eax, [esp + 4]
${found2.join("\n")}
  mov byte [0], 0`;
}
var stopMachine = (name, vcpus, work) => [...Array.from({ length: vcpus - 1 }, (_, k) => `${name}_stop${k + 1}: pause
  cmp byte [stopped + ${k + 1}], 0
  je ${name}_stop${k + 1}`), work, "  mov byte [resumed], 1"].join("\n");
var stopPoint = (name, vcpu, sync) => `  mov byte [stopped + ${vcpu}], 1
${name}_stopped: pause
  cmp byte [resumed], 0
  je ${name}_stopped
${sync ? syncCore(name) : ""}`;
var patchingData = (vcpus) => `section .data.patching
acknowledged: times ${vcpus} db 0
stopped: times ${vcpus} db 0
resumed: db 0
`;

// src/guest/inputError.ts
var InputError = class extends Error {
  /** Name of the input as the user gave it. */
  file;
  /** What is wrong, and where in the file. */
  what;
  /** What the user can change; empty where the file is simply damaged. */
  remedy;
  constructor(file, what, remedy = "") {
    super(`${file}: ${what}` + (remedy ? `; ${remedy}` : ""));
    this.name = "InputError";
    this.file = file;
    this.what = what;
    this.remedy = remedy;
  }
};

// src/guest/asm/assemblyError.ts
var AssemblyError = class extends InputError {
  problems;
  constructor(file, problems) {
    const sorted = [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
    const texts = sorted.map(({ line, column, message }) => `line ${line}, column ${column}: ${message}`);
    super(file, texts.join("\n"));
    this.name = "AssemblyError";
    this.problems = sorted;
  }
};

// src/guest/addressSpace.ts
var PAGE_BYTES4 = 4096;
var SPACE_END = 4294967296;
var AddressSpace = class {
  /** Sorted by address, disjoint. */
  ranges = [];
  /** Takes `sizeBytes` from `start`. Returns the name of a range in the way, or null when it is taken. */
  reserve(start, sizeBytes, name) {
    const end2 = start + sizeBytes;
    const other = this.ranges.find((range) => range.start < end2 && start < range.end);
    if (other) return other.name;
    this.insert({ start, end: end2, name, fixed: true });
    return null;
  }
  /**
   * Takes the first free range of `sizeBytes` at a multiple of `align` not below `from`, sharing no page with
   * what `reserve` took. Null where there is none.
   */
  allocate(sizeBytes, align, from, name) {
    let start = Math.ceil(from / align) * align;
    for (const range of this.ranges) {
      const page = range.fixed ? PAGE_BYTES4 : 1;
      const rangeEnd = Math.ceil(range.end / page) * page;
      if (rangeEnd <= start) continue;
      if (start + sizeBytes <= Math.floor(range.start / page) * page) break;
      start = Math.ceil(rangeEnd / align) * align;
    }
    if (start + sizeBytes > SPACE_END) return null;
    this.insert({ start, end: start + sizeBytes, name, fixed: false });
    return start;
  }
  insert(range) {
    if (range.start === range.end) return;
    const at = this.ranges.findIndex((other) => other.start >= range.end);
    this.ranges.splice(at < 0 ? this.ranges.length : at, 0, range);
  }
};

// src/guest/regions.ts
var CODE_FILL = 204;
function makeRegions(pieces2) {
  const pages = /* @__PURE__ */ new Map();
  for (const piece of pieces2) {
    if (piece.sizeBytes === 0) continue;
    const last = Math.floor((piece.address + piece.sizeBytes - 1) / PAGE_BYTES4);
    for (let number2 = Math.floor(piece.address / PAGE_BYTES4); number2 <= last; number2++) {
      const page = pages.get(number2) ?? { access: 0, names: /* @__PURE__ */ new Set() };
      page.access |= piece.access;
      page.names.add(piece.name);
      pages.set(number2, page);
    }
  }
  const numbers = [...pages.keys()].sort((a, b) => a - b);
  const sorted = pieces2.filter((piece) => piece.sizeBytes > 0).sort((a, b) => a.address - b.address);
  const regions = [];
  for (let from = 0; from < numbers.length; ) {
    const { access } = pages.get(numbers[from]);
    let to = from + 1;
    while (to < numbers.length && numbers[to] === numbers[to - 1] + 1 && pages.get(numbers[to]).access === access)
      to++;
    const names2 = new Set(numbers.slice(from, to).flatMap((number2) => [...pages.get(number2).names]));
    const start = numbers[from] * PAGE_BYTES4;
    const sizeBytes = (to - from) * PAGE_BYTES4;
    const bytes = contents(sorted, start, sizeBytes, access);
    regions.push({ name: [...names2].join(" "), start, sizeBytes, bytes, access });
    from = to;
  }
  return regions;
}
function contents(pieces2, start, sizeBytes, access) {
  const bytes = new Uint8Array(sizeBytes);
  const inside = pieces2.filter(
    (piece) => piece.address < start + sizeBytes && start < piece.address + piece.sizeBytes
  );
  if (access & EXECUTE && inside.every((piece) => piece.access & EXECUTE)) bytes.fill(CODE_FILL);
  for (const piece of inside) {
    const skip = Math.max(0, start - piece.address);
    const offset = piece.address + skip - start;
    const count = Math.min(piece.sizeBytes - skip, sizeBytes - offset);
    bytes.fill(0, offset, offset + count);
    bytes.set(piece.bytes.subarray(skip, skip + count), offset);
  }
  let used = sizeBytes;
  while (used > 0 && bytes[used - 1] === 0) used--;
  return bytes.slice(0, used);
}

// src/guest/environment.ts
var STACK_BYTES = 16384;
var VCPUS_MAX2 = 64;
var CODE_SELECTOR = 8;
var DATA_SELECTOR = 16;
var AREA_BYTES = 256;
var ENVIRONMENT_START = 65536;
var TSS_BYTES = 128;
var TSS_LIMIT = 103;
var GATES = 256;
var WITH_ERROR_CODE = /* @__PURE__ */ new Set([8, 10, 11, 12, 13, 14, 17, 21, 29, 30]);
function makeEnvironment(actors, vcpuCount, handlers, space, stackBytes = STACK_BYTES) {
  const allocate = (sizeBytes, from, name) => {
    const start = space.allocate(sizeBytes, PAGE_BYTES4, from, name);
    if (start === null)
      throw new InputError(name, "no free address range is left for it", "place fewer sections");
    return start;
  };
  const stubs = makeStubs(handlers);
  const gdtBytes = 24 + vcpuCount * 16;
  const idtOffset = align16(gdtBytes);
  const tssOffset = idtOffset + GATES * 8;
  const areaOffset = tssOffset + vcpuCount * TSS_BYTES;
  const tablesBytes = areaOffset + vcpuCount * AREA_BYTES;
  const tables = allocate(tablesBytes, ENVIRONMENT_START, "xm:tables");
  const code = allocate(stubs.bytes.length, tables + tablesBytes, "xm:stubs");
  const bytes = new Uint8Array(tablesBytes);
  const view = new DataView(bytes.buffer);
  writeDescriptor(view, CODE_SELECTOR, 0, 1048575, 49307);
  writeDescriptor(view, DATA_SELECTOR, 0, 1048575, 49299);
  const gates = new Map(handlers.map((handler, n) => [handler.vector, code + stubs.entries[n]]));
  for (const handler of handlers) if (handler.raw) gates.set(handler.vector, handler.address);
  for (let vector = 0; vector < GATES; vector++)
    writeGate(view, idtOffset + vector * 8, gates.get(vector) ?? code + stubs.unhandled);
  const stackTops = actors.map((actor) => {
    const start = allocate(stackBytes + PAGE_BYTES4, code, `xm:stack of ${actor.name}`);
    return start + PAGE_BYTES4 + stackBytes;
  });
  const areas = [];
  for (let vcpu = 0; vcpu < vcpuCount; vcpu++) {
    const area = tables + areaOffset + vcpu * AREA_BYTES;
    const tss = tables + tssOffset + vcpu * TSS_BYTES;
    writeDescriptor(view, areaSelector(vcpu), area, AREA_BYTES - 1, 16531);
    writeDescriptor(view, areaSelector(vcpu) + 8, tss, TSS_LIMIT, 139);
    view.setUint32(area - tables, vcpu, true);
    view.setUint32(area - tables + 4, area, true);
    areas.push({ name: `xm:area${vcpu}`, address: area, sizeBytes: AREA_BYTES, kind: "object" });
  }
  actors.forEach((actor, n) => {
    if (actors.findIndex((other) => other.vcpu === actor.vcpu) !== n) return;
    view.setUint32(tssOffset + actor.vcpu * TSS_BYTES + 4, stackTops[n], true);
    view.setUint32(tssOffset + actor.vcpu * TSS_BYTES + 8, DATA_SELECTOR, true);
    view.setUint16(tssOffset + actor.vcpu * TSS_BYTES + 102, TSS_LIMIT + 1, true);
  });
  stubs.resolve(code);
  const pieces2 = [
    { name: "xm:tables", address: tables, sizeBytes: tablesBytes, bytes, access: READ | WRITE },
    {
      name: "xm:stubs",
      address: code,
      sizeBytes: stubs.bytes.length,
      bytes: stubs.bytes,
      access: READ | EXECUTE
    }
  ];
  const registers = actors.map((actor, n) => {
    const top = stackTops[n];
    pieces2.push(stackPiece(actor, top, code, stackBytes));
    return makeRegisters(actor, top, {
      gdt: tables,
      gdtBytes,
      idt: tables + idtOffset,
      tss: tables + tssOffset + actor.vcpu * TSS_BYTES,
      area: tables + areaOffset + actor.vcpu * AREA_BYTES
    });
  });
  const symbols = [
    { name: "xm:gdt", address: tables, sizeBytes: gdtBytes, kind: "object" },
    { name: "xm:idt", address: tables + idtOffset, sizeBytes: GATES * 8, kind: "object" },
    ...areas,
    ...stubs.symbols.map((symbol) => ({ ...symbol, address: code + symbol.address }))
  ];
  return { pieces: pieces2, symbols, registers };
}
function areaSelector(vcpu) {
  return 24 + vcpu * 16;
}
function writeDescriptor(view, offset, base, limit2, attributes) {
  view.setUint32(offset, base << 16 | limit2 & 65535, true);
  const high = base & 4278190080 | (attributes & 61695) << 8 | limit2 & 983040 | base >>> 16 & 255;
  view.setUint32(offset + 4, high, true);
}
function writeGate(view, offset, address) {
  view.setUint32(offset, CODE_SELECTOR << 16 | address & 65535, true);
  view.setUint32(offset + 4, address & 4294901760 | 36352, true);
}
function stackPiece(actor, top, exit, stackBytes) {
  const bytes = new Uint8Array(stackBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(stackBytes - 16, actor.vcpu, true);
  view.setUint32(stackBytes - 20, exit, true);
  const name = `xm:stack of ${actor.name}`;
  return { name, address: top - stackBytes, sizeBytes: stackBytes, bytes, access: READ | WRITE };
}
function makeRegisters(actor, top, tables) {
  const words = new Int32Array(REGISTER_WORDS);
  const segment = (which, selector, base, limit2, attributes) => {
    words[SELECTOR + which] = selector;
    words[SEG_BASE + which] = base;
    words[SEG_LIMIT + which] = limit2;
    words[SEG_ATTR + which] = attributes;
  };
  words[EIP] = actor.entry;
  words[ESP] = top - 20;
  words[EFLAGS] = 2;
  segment(CS, CODE_SELECTOR, 0, -1, 49307);
  for (const which of [ES, SS, DS, FS]) segment(which, DATA_SELECTOR, 0, -1, 49299);
  segment(GS, areaSelector(actor.vcpu), tables.area, AREA_BYTES - 1, 16531);
  segment(TR, areaSelector(actor.vcpu) + 8, tables.tss, TSS_LIMIT, 139);
  words[GDT_BASE] = tables.gdt;
  words[GDT_LIMIT] = tables.gdtBytes - 1;
  words[IDT_BASE] = tables.idt;
  words[IDT_LIMIT] = GATES * 8 - 1;
  words[CR0] = 49;
  words[DR6] = 4294905840 | 0;
  words[DR7] = 1024;
  words[MSR_PAT_LO] = 459782;
  words[MSR_PAT_HI] = 459782;
  words[MSR_APIC_BASE] = 4276094976 | (actor.vcpu === 0 ? 256 : 0);
  words[FPU_CW] = 895;
  words[FPU_TW] = 65535;
  words[MXCSR] = 8064;
  return words;
}
function makeStubs(handlers) {
  const code = [];
  const symbols = [];
  const calls = [];
  const begin = (name) => {
    while (code.length % 16 !== 0) code.push(204);
    symbols.push({ name, address: code.length, sizeBytes: 0, kind: "label" });
    return code.length;
  };
  const halt = [250, 244, 235, 253];
  begin("xm:exit");
  code.push(15, 31, 128, ...dword((GUEST_CALL_TAG2 << 16 | GUEST_CALLS.exit) >>> 0));
  code.push(...halt);
  const unhandled = begin("xm:unhandled");
  code.push(...halt);
  const entries = handlers.map((handler) => {
    if (handler.raw) return -1;
    const start = begin(`xm:vector${handler.vector}:${handler.name}`);
    if (!WITH_ERROR_CODE.has(handler.vector)) code.push(106, 0);
    code.push(104, ...dword(handler.vector));
    code.push(96, 252, 84);
    code.push(232);
    calls.push({ at: code.length, target: handler.address });
    code.push(...dword(0));
    code.push(131, 196, 4, 97, 131, 196, 8, 207);
    return start;
  });
  const bytes = Uint8Array.from(code);
  const resolve = (start) => {
    const view = new DataView(bytes.buffer);
    for (const { at, target } of calls) view.setUint32(at, target - (start + at + 4), true);
  };
  return { bytes, symbols, entries, unhandled, resolve };
}
function dword(value) {
  return [value & 255, value >>> 8 & 255, value >>> 16 & 255, value >>> 24];
}
function align16(value) {
  return value + 15 & ~15;
}

// src/guest/asm/problems.ts
var PROBLEMS_MAX = 20;
var Mistake = class extends Error {
  column;
  constructor(column, message) {
    super(message);
    this.column = column;
  }
};
function mistake(column, message) {
  throw new Mistake(column, message);
}
var Problems = class {
  #list = [];
  /** Runs `work`; a `Mistake` in it is noted at `line`, anything else passes through. */
  attempt(line, column, work) {
    try {
      work();
    } catch (error) {
      if (!(error instanceof Mistake)) throw error;
      this.add(line, error.column || column, error.message);
    }
  }
  add(line, column, message) {
    if (this.#list.length < PROBLEMS_MAX) this.#list.push({ line, column, message });
  }
  get list() {
    return this.#list;
  }
};

// src/guest/asm/expressions.ts
var NO_REGISTERS = [];
var LIMIT = 1n << 64n;
function number(constant, labels = 0, known = true) {
  return { constant, labels, known, registers: NO_REGISTERS };
}
var UNKNOWN2 = number(0n, 0, false);
function evaluate(expression, scope) {
  switch (expression.kind) {
    case "number":
      return number(expression.value);
    case "here":
      return number(BigInt(scope.here), 1);
    case "sectionStart":
      return number(BigInt(scope.sectionStart), 1);
    case "register":
      return {
        constant: 0n,
        labels: 0,
        known: true,
        registers: [{ register: expression.register, factor: 1 }]
      };
    case "symbol":
      return scope.lookUp(expression.name) ?? mistake(
        expression.column,
        `${expression.name} is not defined anywhere: ${scope.suggest(expression.name)}`
      );
    case "unary": {
      const value = evaluate(expression.operand, scope);
      if (expression.operator === "+") return value;
      if (expression.operator === "-") return bounded2(scaled(value, -1n), expression.column);
      return plain2(value, expression.column, (constant) => ~constant);
    }
    case "binary":
      return binary3(
        expression.operator,
        evaluate(expression.left, scope),
        evaluate(expression.right, scope),
        expression.column
      );
  }
}
function binary3(operator, left, right, column) {
  if (operator === "+") return bounded2(sum(left, right), column);
  if (operator === "-") return bounded2(sum(left, scaled(right, -1n)), column);
  if (operator === "*") {
    if (right.registers.length === 0 && right.labels === 0)
      return bounded2(scaled(left, right.constant, right.known), column);
    if (left.registers.length === 0 && left.labels === 0)
      return bounded2(scaled(right, left.constant, left.known), column);
  }
  const known = left.known && right.known;
  return plain2(
    left,
    column,
    (a) => {
      plain2(right, column, (b2) => b2);
      const b = right.constant;
      switch (operator) {
        case "*":
          return limit(a * b, column);
        case "/":
        case "%":
          if (b === 0n) return known ? mistake(column, "This divides by 0: change the divisor.") : 0n;
          return operator === "/" ? a / b : a % b;
        case "<<":
        case ">>":
          if (b < 0n || b > 63n)
            return known ? mistake(column, "A shift count must be 0 to 63: change it.") : 0n;
          return operator === "<<" ? limit(a << b, column) : a >> b;
        case "&":
          return a & b;
        case "|":
          return a | b;
        default:
          return a ^ b;
      }
    },
    known
  );
}
function plain2(value, column, operation, known = value.known) {
  if (value.registers.length > 0) {
    mistake(
      column,
      "A register can only be added, subtracted or multiplied by 1, 2, 4 or 8: compute this in code."
    );
  }
  return number(operation(value.constant), 0, known);
}
function sum(left, right) {
  return {
    constant: left.constant + right.constant,
    labels: left.labels + right.labels,
    known: left.known && right.known,
    registers: left.registers.length + right.registers.length === 0 ? NO_REGISTERS : collect([...left.registers, ...right.registers])
  };
}
function collect(terms) {
  const found2 = /* @__PURE__ */ new Map();
  for (const { register: register2, factor } of terms) found2.set(register2, (found2.get(register2) ?? 0) + factor);
  return [...found2].filter(([, factor]) => factor !== 0).map(([register2, factor]) => ({ register: register2, factor }));
}
function scaled(value, factor, known = true) {
  return {
    constant: value.constant * factor,
    labels: value.labels * Number(factor),
    known: value.known && known,
    registers: value.registers.map((term) => ({
      register: term.register,
      factor: term.factor * Number(factor)
    }))
  };
}
function bounded2(value, column) {
  limit(value.constant, column);
  return value;
}
function limit(constant, column) {
  if (constant >= LIMIT || constant <= -LIMIT)
    mistake(column, "This does not fit 64 bits: use a smaller value.");
  return constant;
}
function integer(expression, scope, meaning, least, most) {
  const value = evaluate(expression, scope);
  if (value.registers.length > 0)
    mistake(expression.column, `${meaning} must be a number: a register cannot stand here.`);
  if (!value.known) {
    mistake(expression.column, `${meaning} must be known at this line: define the names in it further up.`);
  }
  if (value.constant < BigInt(least) || value.constant > BigInt(most)) {
    mistake(expression.column, `${meaning} is ${value.constant}: it must be ${least} to ${most}.`);
  }
  return Number(value.constant);
}

// src/guest/asm/suggest.ts
var NAME_CHARS_MAX = 40;
var CANDIDATES_MAX2 = 2e3;
function nearest(name, candidates, otherwise) {
  if (name.length > NAME_CHARS_MAX) return otherwise + ".";
  const most = name.length < 3 ? 1 : 2;
  const near = candidates.slice(0, CANDIDATES_MAX2).filter(
    (candidate) => Math.abs(candidate.length - name.length) <= most && candidate.length <= NAME_CHARS_MAX
  ).map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) })).filter(({ distance }) => distance <= most).sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1)).slice(0, 3).map(({ candidate }) => candidate);
  return near.length > 0 ? `did you mean ${near.join(", ")}?` : otherwise + ".";
}
function editDistance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, n) => n);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}

// src/guest/asm/declarations.ts
var ADDRESS_MAX = 4294967295;
var SITE_BYTES_MAX = 64;
var NMI_VECTOR = 2;
var MAX_ARRIVALS = 1e6;
function directive(form2, least, most, read) {
  return { form: form2, least, most, read };
}
var DIRECTIVES = /* @__PURE__ */ new Map([
  [".title", directive('"text"', 1, 1, (reader) => reader.title())],
  [".vcpu", directive("label, count", 1, 2, (reader) => reader.vcpu())],
  [".init", directive("label", 1, 1, (reader) => reader.single("init"))],
  [".final", directive("label", 1, 1, (reader) => reader.single("final"))],
  [".handler", directive("vector, label, wrapped", 2, 3, (reader) => reader.handler())],
  [".irq", directive("vcpu, vector, label, max", 3, 4, (reader) => reader.source(false))],
  [".nmi", directive("vcpu, label, max", 2, 3, (reader) => reader.source(true))],
  [".site", directive("label, size, target, ..., int3", 3, 1e3, (reader) => reader.site())],
  [".forms", directive("label, size, label, ..., int3", 3, 1e3, (reader) => reader.forms())],
  [".calls", directive("label, function, ...", 2, 1e3, (reader) => reader.calls())],
  [".object", directive("label, size", 2, 2, (reader) => reader.object())]
]);
function readDeclarations(statements, scope, problems) {
  const declared = {
    title: "",
    vcpus: [],
    init: null,
    final: null,
    handlers: [],
    sources: [],
    sites: [],
    objects: []
  };
  for (const { line, column, body } of statements) {
    if (body?.kind !== "declaration") continue;
    problems.attempt(line, column, () => {
      const found2 = DIRECTIVES.get(body.name);
      if (!found2) {
        const hint = nearest(
          body.name,
          [...DIRECTIVES.keys()],
          `directives are ${[...DIRECTIVES.keys()].join(" ")}`
        );
        return mistake(column, `There is no directive ${body.name}: ${hint} A local label needs a colon.`);
      }
      const { length } = body.arguments;
      if (length < found2.least || length > found2.most) {
        mistake(column, `${body.name} has ${length} operands: write ${body.name} ${found2.form}.`);
      }
      found2.read(new Reader2(body.arguments, declared, scope));
    });
  }
  problems.attempt(1, 1, () => checkSources(declared));
  return declared;
}
function checkSources(declared) {
  for (const { vcpu, name } of declared.sources) {
    if (vcpu >= declared.vcpus.length)
      mistake(1, `${name}: there is no vCPU ${vcpu}, the program has ${declared.vcpus.length}.`);
  }
}
var Reader2 = class {
  #arguments;
  #declared;
  #scope;
  constructor(operands, declared, scope) {
    this.#arguments = operands;
    this.#declared = declared;
    this.#scope = scope;
  }
  title() {
    const [text] = this.#arguments;
    if (text.kind !== "string") mistake(text.column, "A title is a text: put it in quotes.");
    this.#declared.title = new TextDecoder().decode(text.bytes);
  }
  vcpu() {
    const entry = this.#code(0);
    const count = this.#number(1, "The number of vCPUs", 1, VCPUS_MAX2, 1);
    for (let n = 0; n < count; n++) this.#declared.vcpus.push(entry);
    if (this.#declared.vcpus.length > VCPUS_MAX2) mistake(0, `More than ${VCPUS_MAX2} vCPUs: remove some.`);
  }
  single(which) {
    const other = this.#declared[which];
    if (other) mistake(0, `.${which} is already ${other.name}: call both from one function.`);
    this.#declared[which] = this.#code(0);
  }
  handler() {
    const vector = this.#number(0, "The vector", 0, 255);
    const raw = !this.#isWord(2, "wrapped");
    if (raw && this.#arguments.length > 2)
      mistake(this.#arguments[2].column, "Only the word wrapped can stand here.");
    this.#addHandler({ ...this.#code(1), vector, raw }, false);
  }
  source(nmi) {
    const vcpu = this.#isWord(0, "all") ? -1 : this.#number(0, "The vCPU", 0, VCPUS_MAX2 - 1);
    const vector = nmi ? NMI_VECTOR : this.#number(1, "The vector of an interrupt", 32, 255);
    const label = nmi ? 1 : 2;
    const handler = this.#code(label);
    const max = this.#number(label + 1, "The number of arrivals", 0, MAX_ARRIVALS, 1);
    this.#addHandler({ ...handler, vector, raw: true }, true);
    const name = nmi ? `NMI ${handler.name}` : `${handler.name} (vector ${vector})`;
    this.#declared.sources.push({ name, vcpu, vector, nmi, max });
  }
  /** The vCPUs share one IDT. A source accepts the handler that is there, wrapped or not. */
  #addHandler(handler, any) {
    const { handlers } = this.#declared;
    const other = handlers.find(({ vector }) => vector === handler.vector);
    if (!other) handlers.push(handler);
    else if (other.address !== handler.address || !any && other.raw !== handler.raw) {
      mistake(
        0,
        `Vector ${handler.vector} has another handler, ${other.name}: the vCPUs share one IDT, use one handler.`
      );
    }
  }
  site() {
    const { rest, ...head } = this.#siteHead();
    const { address, sizeBytes } = head;
    const next = {
      ...this.#scope,
      lookUp: (word) => this.#scope.lookUp(word) ?? fallThrough(word, address + sizeBytes)
    };
    const targets = rest.map((n) => integer(this.#expression(n), next, "The target", 0, ADDRESS_MAX));
    if (targets.length === 0)
      mistake(0, "This site has no target: name the labels that it may lead to, or next.");
    this.#declared.sites.push({ ...head, targets: [...new Set(targets)] });
  }
  forms() {
    const { rest, ...head } = this.#siteHead();
    if (rest.length === 0) mistake(0, "This site has no form: name the labels of the bytes that may stand there.");
    const formLabels = rest.map((n) => {
      const expression = this.#expression(n);
      const address = integer(expression, this.#scope, "The address of the form", 0, ADDRESS_MAX);
      return { name: nameOf2(expression, address), address };
    });
    this.#declared.sites.push({ ...head, targets: [], formLabels });
  }
  #siteHead() {
    const { name, address } = this.#code(0);
    const sizeBytes = this.#number(1, "The size of a site", 1, SITE_BYTES_MAX);
    const all = this.#arguments.map((_, n) => n).slice(2);
    const rest = all.filter((n) => !this.#isWord(n, "int3"));
    return { name, address, sizeBytes, int3: rest.length < all.length, rest };
  }
  calls() {
    const { address, name } = this.#code(0);
    const { sites } = this.#declared;
    const at = sites.findIndex((site) => site.address === address);
    if (at < 0) mistake(0, `There is no site ${name}: declare it above, with .site or .forms.`);
    sites[at] = { ...sites[at], calls: this.#arguments.slice(1).map((_, n) => this.#code(n + 1).address) };
  }
  object() {
    const expression = this.#expression(0);
    const address = integer(expression, this.#scope, "The address", 0, ADDRESS_MAX);
    const sizeBytes = this.#number(1, "The size", 1, ADDRESS_MAX);
    this.#declared.objects.push({ name: nameOf2(expression, address), address, sizeBytes });
  }
  #expression(index) {
    const { kind, expression, column } = this.#arguments[index];
    if (kind !== "immediate" || !expression) mistake(column, "Expected a number or a label.");
    return expression;
  }
  #number(index, meaning, least, most, absent = 0) {
    return index < this.#arguments.length ? integer(this.#expression(index), this.#scope, meaning, least, most) : absent;
  }
  #code(index) {
    const expression = this.#expression(index);
    const address = integer(expression, this.#scope, "The address", 0, ADDRESS_MAX);
    if (!this.#scope.isCode(address)) {
      mistake(
        expression.column,
        "There is no code at this address: name a label in a section that may be executed."
      );
    }
    return { name: nameOf2(expression, address), address };
  }
  /** Whether an operand is this very word, and not the user's label of that name. */
  #isWord(index, word) {
    const expression = this.#arguments[index]?.expression;
    return expression?.kind === "symbol" && expression.name === word && !this.#scope.lookUp(word);
  }
};
function fallThrough(word, address) {
  return word === "next" ? number(BigInt(address), 1) : void 0;
}
function nameOf2(expression, address) {
  return expression.kind === "symbol" ? expression.name : "0x" + address.toString(16);
}

// src/guest/asm/lexer.ts
var NO_BYTES = new Uint8Array(0);
var BLANK = /[ \t\r\f\v]*/y;
var WORD = /[A-Za-z_.?@][A-Za-z0-9_.?@$]*/y;
var NUMBER = /[0-9][0-9A-Za-z_]*/y;
var PUNCTUATION = /<<|>>|\$\$|[-+*/%&|^~()[\],:$]/y;
var ESCAPES = {
  n: "\n",
  t: "	",
  r: "\r",
  "0": "\0",
  e: "\x1B",
  a: "\x07",
  b: "\b"
};
var DIGITS_MAX = 80;
var encoder = new TextEncoder();
function tokenize(line) {
  const tokens = [];
  let at = 0;
  const match = (pattern) => {
    pattern.lastIndex = at;
    const text = pattern.exec(line)?.[0] ?? null;
    if (text !== null) at += text.length;
    return text;
  };
  for (; ; ) {
    match(BLANK);
    const column = at + 1;
    const first = line[at];
    if (first === void 0 || first === ";" || first === "#") {
      tokens.push({ kind: "end", text: "the end of the line", value: 0n, bytes: NO_BYTES, column });
      return tokens;
    }
    if (first === '"' || first === "'" || first === "`") {
      const end2 = closingQuote(line, at);
      if (end2 < 0) mistake(column, `This string has no closing ${first}: add it.`);
      const raw = line.slice(at + 1, end2);
      const text = first === "`" ? unescape(raw) : raw;
      const bytes = first === "`" && /^[\0-\xff]*$/.test(text) ? Uint8Array.from(text, (c) => c.charCodeAt(0)) : encoder.encode(text);
      tokens.push({ kind: "string", text, value: 0n, bytes, column });
      at = end2 + 1;
      continue;
    }
    const word = match(WORD);
    if (word !== null) {
      tokens.push({ kind: "word", text: word, value: 0n, bytes: NO_BYTES, column });
      continue;
    }
    const number2 = match(NUMBER);
    if (number2 !== null) {
      tokens.push({
        kind: "number",
        text: number2,
        value: numberValue(number2, column),
        bytes: NO_BYTES,
        column
      });
      continue;
    }
    const punctuation = match(PUNCTUATION);
    if (punctuation === null) {
      mistake(column, `The character ${JSON.stringify(first)} has no meaning here: remove it or quote it.`);
    }
    tokens.push({ kind: "punctuation", text: punctuation, value: 0n, bytes: NO_BYTES, column });
  }
}
function closingQuote(line, start) {
  const quote = line[start];
  for (let at = start + 1; at < line.length; at++) {
    if (line[at] === quote) return at;
    if (quote === "`" && line[at] === "\\") at++;
  }
  return -1;
}
function unescape(raw) {
  return raw.replace(
    /\\(x[0-9A-Fa-f]{1,2}|.)/g,
    (_, escape2) => escape2.length > 1 ? String.fromCharCode(parseInt(escape2.slice(1), 16)) : ESCAPES[escape2] ?? escape2
  );
}
function numberValue(text, column) {
  const plain3 = text.replaceAll("_", "").toLowerCase();
  if (plain3.length <= DIGITS_MAX) {
    if (/^0x[0-9a-f]+$/.test(plain3) || /^0b[01]+$/.test(plain3) || /^0o[0-7]+$/.test(plain3))
      return BigInt(plain3);
    if (/^[0-9]+$/.test(plain3)) return BigInt(plain3);
    const body = plain3.slice(0, -1);
    if (/^[0-9][0-9a-f]*h$/.test(plain3)) return BigInt("0x" + body);
    if (/^[01]+b$/.test(plain3)) return BigInt("0b" + body);
    if (/^[0-7]+o$/.test(plain3)) return BigInt("0o" + body);
  }
  return mistake(column, `${shorten(text)} is not a number: write 31, 0x1f, 1fh, 0b11111, 11111b or 37o.`);
}
function shorten(text) {
  return JSON.stringify(text.length > 40 ? text.slice(0, 37) + "..." : text);
}

// src/guest/asm/registerNames.ts
var names = /* @__PURE__ */ new Map();
function define(registerClass, sizeBytes, list) {
  list.split(" ").forEach((name, number2) => names.set(name, { name, class: registerClass, number: number2, sizeBytes }));
}
function numbered(prefix) {
  return [0, 1, 2, 3, 4, 5, 6, 7].map((number2) => prefix + number2).join(" ");
}
define("general", 1, "al cl dl bl ah ch dh bh");
define("general", 2, "ax cx dx bx sp bp si di");
define("general", 4, "eax ecx edx ebx esp ebp esi edi");
define("segment", 2, "es cs ss ds fs gs");
define("control", 4, numbered("cr"));
define("debug", 4, numbered("dr"));
define("test", 4, numbered("tr"));
define("x87", 10, numbered("st"));
names.set("st", names.get("st0"));
define("mmx", 8, numbered("mm"));
define("xmm", 16, numbered("xmm"));
function registerNamed(name) {
  return names.get(name) ?? null;
}

// src/guest/asm/parseExpression.ts
var EXPRESSION_SIZE_MAX = 200;
var PRECEDENCE = /* @__PURE__ */ new Map([
  ["|", 1],
  ["^", 2],
  ["&", 3],
  ["<<", 4],
  [">>", 4],
  ["+", 5],
  ["-", 5],
  ["*", 6],
  ["/", 6],
  ["%", 6]
]);
var Cursor = class {
  #tokens;
  /** Parent of local labels: `.loop` means `parent.loop`. */
  parent;
  #at = 0;
  #size = 0;
  constructor(tokens, parent) {
    this.#tokens = tokens;
    this.parent = parent;
  }
  peek(ahead = 0) {
    return this.#tokens[Math.min(this.#at + ahead, this.#tokens.length - 1)];
  }
  next() {
    const token = this.peek();
    if (token.kind !== "end") this.#at++;
    return token;
  }
  /** Lower-case text of the next token if it is a word, else ''. */
  word(ahead = 0) {
    const token = this.peek(ahead);
    return token.kind === "word" ? token.text.toLowerCase() : "";
  }
  is(punctuation, ahead = 0) {
    const token = this.peek(ahead);
    return token.kind === "punctuation" && token.text === punctuation;
  }
  accept(punctuation) {
    if (!this.is(punctuation)) return false;
    this.#at++;
    return true;
  }
  expect(punctuation, where) {
    if (this.accept(punctuation)) return;
    mistake(this.peek().column, `Expected ${punctuation} ${where}, found ${describe4(this.peek())}.`);
  }
  get atEnd() {
    return this.peek().kind === "end";
  }
  expectEnd() {
    if (!this.atEnd) {
      mistake(
        this.peek().column,
        `Expected the end of the statement, found ${describe4(this.peek())}: remove it.`
      );
    }
  }
  expression() {
    this.#size = 0;
    return this.#binary(0);
  }
  #grow(column) {
    if (++this.#size > EXPRESSION_SIZE_MAX) {
      mistake(
        column,
        `This expression has more than ${EXPRESSION_SIZE_MAX} operators: name parts of it with equ.`
      );
    }
  }
  #binary(least) {
    let left = this.#unary();
    for (; ; ) {
      const token = this.peek();
      const precedence = token.kind === "punctuation" ? PRECEDENCE.get(token.text) ?? 0 : 0;
      if (precedence <= least) return left;
      this.#grow(token.column);
      this.next();
      left = {
        kind: "binary",
        operator: token.text,
        left,
        right: this.#binary(precedence),
        column: token.column
      };
    }
  }
  #unary() {
    const token = this.peek();
    if (token.kind === "punctuation" && (token.text === "-" || token.text === "+" || token.text === "~")) {
      this.#grow(token.column);
      this.next();
      return { kind: "unary", operator: token.text, operand: this.#unary(), column: token.column };
    }
    return this.#primary();
  }
  #primary() {
    const token = this.peek();
    const column = token.column;
    if (token.kind === "number") {
      this.next();
      return { kind: "number", value: token.value, column };
    }
    if (token.kind === "string") {
      this.next();
      if (token.bytes.length > 8) {
        mistake(
          column,
          "A string in an expression is a number of at most 8 characters: shorten it, or use db."
        );
      }
      return { kind: "number", value: littleEndian(token.bytes), column };
    }
    if (token.kind === "word") {
      this.next();
      const register2 = registerNamed(token.text.toLowerCase());
      return register2 ? { kind: "register", register: register2, column } : { kind: "symbol", name: this.fullName(token.text), column };
    }
    if (this.accept("$")) return { kind: "here", column };
    if (this.accept("$$")) return { kind: "sectionStart", column };
    if (this.accept("(")) {
      this.#grow(column);
      const inner = this.#binary(0);
      this.expect(")", "to close this parenthesis");
      return inner;
    }
    return mistake(column, `Expected a number, a name or an expression, found ${describe4(token)}.`);
  }
  /** Local names get their parent in front. */
  fullName(name) {
    return name.startsWith(".") ? this.parent + name : name;
  }
};
function describe4(token) {
  return token.kind === "end" ? token.text : shorten(token.text);
}
function littleEndian(bytes) {
  return bytes.reduceRight((value, byte2) => value << 8n | BigInt(byte2), 0n);
}

// src/guest/asm/parseOperand.ts
var SIZE_KEYWORDS = /* @__PURE__ */ new Map([
  ["byte", 1],
  ["word", 2],
  ["dword", 4],
  ["fword", 6],
  ["qword", 8],
  ["tbyte", 10],
  ["tword", 10],
  ["oword", 16],
  ["xmmword", 16]
]);
var NO_BYTES2 = new Uint8Array(0);
var BLANK2 = {
  kind: "immediate",
  column: 0,
  sizeBytes: 0,
  strict: false,
  distance: "",
  register: null,
  expression: null,
  segment: -1,
  displacementBytes: 0,
  selector: null,
  bytes: NO_BYTES2
};
function operand(parts) {
  return { ...BLANK2, ...parts };
}
function parseOperand(cursor) {
  const column = cursor.peek().column;
  let sizeBytes = 0;
  let strict = false;
  let distance = "";
  for (; ; ) {
    const word = cursor.word();
    const size = SIZE_KEYWORDS.get(word);
    if (size !== void 0) sizeBytes = size;
    else if (word === "strict") strict = true;
    else if (word === "short" || word === "near" || word === "far") distance = word;
    else break;
    cursor.next();
    if (cursor.word() === "ptr") cursor.next();
  }
  const common = { column, sizeBytes, strict, distance };
  if (cursor.is("[")) return operand({ ...common, kind: "memory", ...parseMemory(cursor, -1) });
  const register2 = registerNamed(cursor.word());
  if (register2?.class === "segment" && cursor.is(":", 1)) {
    cursor.next();
    cursor.next();
    if (!cursor.is("[")) {
      mistake(cursor.peek().column, `Expected [ after ${register2.name}:, found ${describe4(cursor.peek())}.`);
    }
    return operand({ ...common, kind: "memory", ...parseMemory(cursor, register2.number) });
  }
  if (register2 && closes(cursor, 1)) {
    cursor.next();
    return operand({ ...common, kind: "register", register: register2 });
  }
  if (register2?.name === "st0" && cursor.word() === "st") return x87Register(cursor, common);
  const first = cursor.peek();
  if (first.kind === "string" && closes(cursor, 1)) {
    const expression2 = first.bytes.length <= 8 ? cursor.expression() : null;
    if (!expression2) cursor.next();
    return operand({ ...common, kind: "string", expression: expression2, bytes: first.bytes });
  }
  const expression = cursor.expression();
  if (!cursor.accept(":")) return operand({ ...common, kind: "immediate", expression });
  return operand({ ...common, kind: "far", selector: expression, expression: cursor.expression() });
}
function x87Register(cursor, common) {
  cursor.next();
  let name = "st0";
  if (cursor.accept("(")) {
    name = "st" + cursor.next().text;
    cursor.expect(")", "after the number of the x87 register");
  }
  const register2 = registerNamed(name);
  if (!register2) mistake(common.column ?? 0, "There is no such x87 register: write st(0) to st(7).");
  return operand({ ...common, kind: "register", register: register2 });
}
function closes(cursor, ahead) {
  return cursor.is(",", ahead) || cursor.peek(ahead).kind === "end";
}
function parseMemory(cursor, outerSegment) {
  let segment = outerSegment;
  cursor.expect("[", "to open an address");
  const displacementBytes = SIZE_KEYWORDS.get(cursor.word()) ?? 0;
  if (displacementBytes > 0) cursor.next();
  const register2 = registerNamed(cursor.word());
  if (register2?.class === "segment" && cursor.is(":", 1)) {
    segment = register2.number;
    cursor.next();
    cursor.next();
  }
  const expression = cursor.expression();
  cursor.expect("]", "to close the address");
  return { segment, displacementBytes, expression };
}

// src/guest/asm/guestCalls.ts
function call3(values, point = null, logs = false) {
  return { values: values === "" ? [] : values.split(", "), point, logs };
}
var CALL_SYNTAX = {
  exit: call3(""),
  assert: call3("condition", "assert"),
  assume: call3("condition", "assume"),
  choose: call3("ways", "choose"),
  ipi: call3("vcpu, vector"),
  nmi: call3("vcpu"),
  progress: call3("", "progress"),
  reach: call3("", "reach"),
  enter: call3("object"),
  leave: call3("object"),
  free: call3("address, size"),
  alloc: call3("address, size"),
  block: call3(""),
  kick: call3("vcpu"),
  vcpu: call3(""),
  log: call3("value", null, true),
  patched: call3("site, bytes"),
  poll: call3("address"),
  unmapped: call3("address, size"),
  mapped: call3("address, size"),
  arrive: call3("object"),
  queued: call3("object"),
  release: call3("object, size"),
  halt: call3(""),
  building: call3("address, size"),
  built: call3("address, size")
};
var ALSO_INSTRUCTIONS = /* @__PURE__ */ new Map([
  ["enter", 2],
  ["leave", 0]
]);
function lowerGuestCalls(statements, file, problems) {
  const lowered = [];
  const texts = [];
  const points = [];
  for (const statement of statements) {
    problems.attempt(statement.line, statement.column, () => {
      const name = callName(statement.body);
      if (name === null) {
        lowered.push(statement);
        return;
      }
      const syntax = CALL_SYNTAX[name];
      const { values, text } = readOperands(name, syntax, statement.body);
      let edx = null;
      if (syntax.point) {
        const id = points.length + 1;
        points.push({ id, kind: syntax.point, text: text ?? "", file, line: statement.line });
        edx = immediate(id);
      } else if (text !== null) {
        const label = `xm:text${texts.length}`;
        texts.push(textStatement(label, text, statement));
        edx = operand({ expression: { kind: "symbol", name: label, column: statement.column } });
      }
      const bodies = callBodies(GUEST_CALLS[name], values[0] ?? null, values[1] ?? edx);
      bodies.forEach(
        (part, n) => lowered.push({ ...statement, label: n === 0 ? statement.label : "", body: part })
      );
    });
  }
  if (texts.length > 0) {
    const body = { kind: "section", name: ".rodata.xm", address: null, access: "r" };
    lowered.push({ ...texts[0], label: "", body }, ...texts);
  }
  return { statements: lowered, points };
}
function callName(body) {
  if (body?.kind === "times") {
    const inner = callName(body.body);
    return inner === null ? null : mistakeInTimes(inner);
  }
  if (body?.kind !== "instruction") return null;
  const explicit = body.mnemonic.startsWith("xm_");
  const name = explicit ? body.mnemonic.slice(3) : body.mnemonic;
  if (!Object.hasOwn(CALL_SYNTAX, name)) return null;
  if (!explicit && ALSO_INSTRUCTIONS.get(name) === body.operands.length) return null;
  return name;
}
function mistakeInTimes(name) {
  return mistake(0, `times cannot repeat ${name}, a call to the checker: write a loop.`);
}
function readOperands(name, syntax, body) {
  if (body.prefixes.length > 0) mistake(0, `${name} is a call to the checker and takes no prefix: remove it.`);
  const operands = [...body.operands];
  const takesText = syntax.point !== null || syntax.logs;
  let text = null;
  const last = operands[operands.length - 1];
  if (takesText && last?.kind === "string") {
    text = new TextDecoder().decode(last.bytes);
    operands.pop();
  }
  if (operands.length > syntax.values.length) {
    const form2 = [...syntax.values, ...takesText ? ['"text"'] : []].join(", ");
    mistake(
      operands[syntax.values.length].column,
      `Too many operands: write ${name}${form2 === "" ? "" : " " + form2}.`
    );
  }
  return { values: operands, text };
}
function callBodies(number2, eax, edx) {
  const loads = [];
  if (eax) loads.push(...load("eax", eax));
  if (edx) {
    const intoEdx = load("edx", edx);
    if (!eax || !mentions(edx, 0)) loads.push(...intoEdx);
    else if (!mentions(eax, 2)) loads.unshift(...intoEdx);
    else
      mistake(
        edx.column,
        "These operands would overwrite each other in EAX and EDX: put one into another register first."
      );
  }
  const displacement = {
    kind: "number",
    value: BigInt(GUEST_CALL_TAG2 * 65536 + number2),
    column: 0
  };
  const eaxRegister = { kind: "register", register: registerNamed("eax"), column: 0 };
  const expression = {
    kind: "binary",
    operator: "+",
    left: eaxRegister,
    right: displacement,
    column: 0
  };
  const operands = [operand({ kind: "memory", sizeBytes: 4, expression })];
  return [...loads, { kind: "instruction", prefixes: [], mnemonic: "nop", operands }];
}
function load(register2, source) {
  if (source.register?.name === register2) return [];
  const small = (source.register?.sizeBytes ?? source.sizeBytes) < 4 && source.kind !== "immediate" && source.kind !== "string";
  const narrow = small && (source.register !== null || source.sizeBytes > 0);
  const target = operand({ kind: "register", column: source.column, register: registerNamed(register2) });
  const operands = [target, source];
  return [{ kind: "instruction", prefixes: [], mnemonic: narrow ? "movzx" : "mov", operands }];
}
function mentions(source, number2) {
  const uses = (expression) => {
    if (expression === null) return false;
    if (expression.kind === "register")
      return expression.register.class === "general" && expression.register.number === number2;
    if (expression.kind === "unary") return uses(expression.operand);
    return expression.kind === "binary" && (uses(expression.left) || uses(expression.right));
  };
  const { register: register2 } = source;
  const whole2 = register2 && register2.sizeBytes === 1 ? register2.number & 3 : register2?.number;
  return register2?.class === "general" && whole2 === number2 || uses(source.expression);
}
function immediate(value) {
  return operand({ expression: { kind: "number", value: BigInt(value), column: 0 } });
}
function textStatement(label, text, from) {
  const bytes = new TextEncoder().encode(text + "\0");
  const body = { kind: "data", unitBytes: 1, items: [{ column: from.column, expression: null, bytes }] };
  return { line: from.line, column: from.column, label, labelColumn: from.column, body };
}

// src/guest/asm/parse.ts
var SOURCE_CHARS_MAX = 1 << 20;
var TIMES_NESTING_MAX = 4;
var DATA_UNITS = /* @__PURE__ */ new Map([["db", 1], ["dw", 2], ["dd", 4], ["dq", 8]]);
var RESERVE_UNITS = /* @__PURE__ */ new Map([["resb", 1], ["resw", 2], ["resd", 4], ["resq", 8]]);
var PREFIXES = /* @__PURE__ */ new Map([
  ["lock", 240],
  ["rep", 243],
  ["repe", 243],
  ["repz", 243],
  ["repne", 242],
  ["repnz", 242],
  ["es", 38],
  ["cs", 46],
  ["ss", 54],
  ["ds", 62],
  ["fs", 100],
  ["gs", 101],
  ["o16", 102],
  ["o32", 102],
  ["a16", 103],
  ["a32", 103]
]);
function parse(source, problems) {
  if (source.length > SOURCE_CHARS_MAX) {
    problems.add(1, 1, `The source has ${source.length} characters, more than ${SOURCE_CHARS_MAX}: split it.`);
    return [];
  }
  const statements = [];
  let parent = "";
  source.split(/\r\n|\n|\r/).forEach((text, index) => {
    problems.attempt(index + 1, 1, () => {
      const cursor = new Cursor(tokenize(text), parent);
      const statement = parseLine(cursor, index + 1);
      if (statement) statements.push(statement);
      const defined = statement?.label ?? "";
      if (defined !== "" && !defined.includes(".")) parent = defined;
    });
  });
  return statements;
}
function parseLine(cursor, line) {
  const start = cursor.peek();
  let label = "";
  let body = null;
  let column = start.column;
  if (start.kind === "word" && (cursor.is(":", 1) || namesData(cursor))) {
    cursor.next();
    cursor.accept(":");
    label = cursor.fullName(start.text);
    const word = start.text.toLowerCase();
    if (registerNamed(word) || SIZE_KEYWORDS.has(word)) {
      const what = registerNamed(word) ? "a register" : "a size";
      mistake(start.column, `${start.text} is ${what} and cannot be a label: choose another name.`);
    }
    column = cursor.peek().column;
    if (cursor.word() === "equ") {
      cursor.next();
      body = { kind: "equ", name: label, value: cursor.expression() };
      label = "";
    }
  }
  if (!body && !cursor.atEnd) body = parseBody(cursor, 0);
  cursor.expectEnd();
  if (label === "" && !body) return null;
  return { line, column: body ? column : start.column, label, labelColumn: start.column, body };
}
function namesData(cursor) {
  const second = cursor.word(1);
  return second === "equ" || DATA_UNITS.has(second) || RESERVE_UNITS.has(second) ? !(DATA_UNITS.has(cursor.word()) || RESERVE_UNITS.has(cursor.word()) || cursor.word() === "times") : false;
}
function parseBody(cursor, nesting) {
  const first = cursor.peek();
  if (first.kind !== "word") {
    mistake(first.column, `Expected an instruction or a directive, found ${describe4(first)}.`);
  }
  const word = cursor.word();
  if (word.startsWith(".")) {
    cursor.next();
    return { kind: "declaration", name: word, arguments: parseOperands(cursor) };
  }
  if (DATA_UNITS.has(word)) {
    cursor.next();
    return { kind: "data", unitBytes: DATA_UNITS.get(word), items: parseItems(cursor) };
  }
  if (RESERVE_UNITS.has(word)) {
    cursor.next();
    return { kind: "reserve", unitBytes: RESERVE_UNITS.get(word), count: cursor.expression() };
  }
  return parseDirective(cursor, word, nesting) ?? parseInstruction(cursor);
}
function parseDirective(cursor, word, nesting) {
  const column = cursor.peek().column;
  switch (word) {
    case "times": {
      cursor.next();
      if (nesting === TIMES_NESTING_MAX)
        mistake(column, `times is nested more than ${TIMES_NESTING_MAX} deep: multiply the counts.`);
      const count = cursor.expression();
      const body = parseBody(cursor, nesting + 1);
      if (body.kind === "instruction" || body.kind === "data" || body.kind === "reserve" || body.kind === "times") {
        return { kind: "times", count, body };
      }
      return mistake(
        column,
        "times repeats instructions and data only: write this line as often as it is needed."
      );
    }
    case "align": {
      cursor.next();
      const boundary = cursor.expression();
      if (!cursor.accept(",")) return { kind: "align", boundary, fill: null };
      if (cursor.word() === "db") cursor.next();
      return { kind: "align", boundary, fill: cursor.expression() };
    }
    case "org":
      cursor.next();
      return { kind: "org", address: cursor.expression() };
    case "section":
    case "segment":
      cursor.next();
      return parseSection(cursor);
    case "bits": {
      cursor.next();
      const bits = cursor.next();
      if (bits.text !== "16" && bits.text !== "32")
        mistake(bits.column, "Only 16 and 32 bits exist here: write bits 16 or bits 32.");
      return { kind: "bits", bits: bits.text === "16" ? 16 : 32 };
    }
    case "use16":
    case "use32":
      cursor.next();
      return { kind: "bits", bits: word === "use16" ? 16 : 32 };
    default:
      return null;
  }
}
function parseSection(cursor) {
  const name = cursor.next();
  if (name.kind !== "word") mistake(name.column, `Expected the name of a section, found ${describe4(name)}.`);
  let address = null;
  let access = "";
  while (!cursor.atEnd) {
    if (/^r?w?x?$/.test(cursor.word()) && cursor.word() !== "") access = cursor.next().text.toLowerCase();
    else if (address === null) address = cursor.expression();
    else break;
    cursor.accept(",");
  }
  return { kind: "section", name: name.text, address, access };
}
function parseItems(cursor) {
  const items = [];
  do {
    const token = cursor.peek();
    const single = cursor.is(",", 1) || cursor.peek(1).kind === "end";
    if (token.kind === "string" && single) {
      cursor.next();
      items.push({ column: token.column, expression: null, bytes: token.bytes });
    } else if (token.text === "?" && single) {
      cursor.next();
      items.push({ column: token.column, expression: null, bytes: null });
    } else items.push({ column: token.column, expression: cursor.expression(), bytes: null });
  } while (cursor.accept(","));
  return items;
}
function parseOperands(cursor) {
  const operands = [];
  if (cursor.atEnd) return operands;
  do
    operands.push(parseOperand(cursor));
  while (cursor.accept(","));
  return operands;
}
function parseInstruction(cursor) {
  const prefixes = [];
  while (PREFIXES.has(cursor.word())) {
    if (prefixes.length === 4) mistake(cursor.peek().column, "More than four prefixes: remove some.");
    prefixes.push(cursor.word());
    cursor.next();
  }
  const mnemonic = cursor.word();
  if (mnemonic === "" && !(prefixes.length > 0 && cursor.atEnd)) {
    mistake(cursor.peek().column, `Expected an instruction, found ${describe4(cursor.peek())}.`);
  }
  if (mnemonic !== "") cursor.next();
  return { kind: "instruction", prefixes, mnemonic, operands: parseOperands(cursor) };
}

// src/guest/asm/address.ts
var EBP2 = 5;
var ESP2 = 4;
var RM16 = /* @__PURE__ */ new Map([
  ["3,6", 0],
  ["3,7", 1],
  ["5,6", 2],
  ["5,7", 3],
  ["6", 4],
  ["7", 5],
  ["5", 6],
  ["3", 7]
]);
function makeAddress(value, bits, displacementBytes, column) {
  const sizes = new Set(
    value.registers.map((term) => term.register.class === "general" ? term.register.sizeBytes : 0)
  );
  if (sizes.has(0) || sizes.has(1) || sizes.size > 1) {
    mistake(
      column,
      "An address is made of 32-bit general registers (or 16-bit ones): load the value into one first."
    );
  }
  let addressBytes = sizes.values().next().value ?? (displacementBytes > 1 ? displacementBytes : bits / 8);
  if (addressBytes > 4)
    mistake(column, "A displacement is a byte, a word or a dword: correct the size in the brackets.");
  if (sizes.size === 0 && addressBytes === 2 && displacementBytes === 0 && (value.constant > 0xffffn || value.constant < -0x8000n)) {
    addressBytes = 4;
  }
  const limit2 = addressBytes === 4 ? 0x100000000n : 0x10000n;
  if (value.constant >= limit2 || value.constant < -limit2 / 2n) {
    mistake(
      column,
      `The displacement ${value.constant} does not fit ${addressBytes * 8} bits: use a smaller one.`
    );
  }
  const displacement = Number(BigInt.asIntN(addressBytes * 8, value.constant));
  const common = { addressBytes, displacement, relocatable: value.labels !== 0, displacementBytes };
  if (addressBytes === 2)
    return { ...common, base: -1, index: -1, scale: 0, rm16: rm16(value.registers, column) };
  return { ...common, rm16: -1, ...baseAndIndex(value.registers, column) };
}
function rm16(terms, column) {
  if (terms.length === 0) return -1;
  const numbers = terms.map((term) => term.factor === 1 ? term.register.number : -1).sort((a, b) => a - b);
  return RM16.get(numbers.join()) ?? mistake(column, "16-bit addresses are bx or bp, plus si or di, plus a number: use these.");
}
function baseAndIndex(terms, column) {
  const fail = () => mistake(
    column,
    "An address is base + index*1, 2, 4 or 8 + displacement, and ESP is no index: compute it in code."
  );
  const [first, second] = terms;
  if (terms.length > 2) fail();
  if (!first) return { base: -1, index: -1, scale: 0 };
  const one = first.register.number;
  if (!second) {
    if (first.factor === 1) return { base: one, index: -1, scale: 0 };
    if (one === ESP2) fail();
    if (first.factor === 2 && one !== EBP2) return { base: one, index: one, scale: 0 };
    if ([3, 5, 9].includes(first.factor)) return { base: one, index: one, scale: Math.log2(first.factor - 1) };
    return [2, 4, 8].includes(first.factor) ? { base: -1, index: one, scale: Math.log2(first.factor) } : fail();
  }
  const two = second.register.number;
  const swap = first.factor !== 1 || two === ESP2 && second.factor === 1;
  const [base, index, factor] = swap ? [two, one, first.factor] : [one, two, second.factor];
  if ((swap ? second : first).factor !== 1 || index === ESP2 || ![1, 2, 4, 8].includes(factor)) fail();
  return { base, index, scale: Math.log2(factor) };
}
function addressForms(address, column) {
  const widths = displacementWidths(address);
  if (address.addressBytes === 2) {
    if (address.rm16 < 0) return [{ mod: 0, rm: 6, sib: -1, displacementBytes: 2 }];
    return widths.filter((width) => width > 0 || address.rm16 !== 6).map((width) => ({ mod: width === 2 ? 2 : width, rm: address.rm16, sib: -1, displacementBytes: width }));
  }
  if (address.base < 0) {
    if (address.displacementBytes === 1)
      mistake(column, "Without a base register the displacement has 4 bytes: remove byte.");
    if (address.index < 0) return [{ mod: 0, rm: 5, sib: -1, displacementBytes: 4 }];
    return [{ mod: 0, rm: 4, sib: address.scale << 6 | address.index << 3 | 5, displacementBytes: 4 }];
  }
  const needsSib = address.index >= 0 || address.base === ESP2;
  const sib = needsSib ? address.scale << 6 | (address.index < 0 ? 4 : address.index) << 3 | address.base : -1;
  return widths.filter((width) => width > 0 || address.base !== EBP2).map((width) => ({
    mod: width === 4 ? 2 : width,
    rm: needsSib ? 4 : address.base,
    sib,
    displacementBytes: width
  }));
}
function displacementWidths(address) {
  const full = address.addressBytes;
  if (address.displacementBytes > 0) return [address.displacementBytes];
  if (address.relocatable) return [full];
  if (address.displacement === 0) return [0, 1, full];
  return address.displacement >= -128 && address.displacement <= 127 ? [1, full] : [full];
}

// src/guest/asm/concrete.ts
function concrete(parts) {
  return {
    kind: "immediate",
    column: 0,
    sizeBytes: 0,
    register: null,
    address: null,
    segment: -1,
    value: 0n,
    known: true,
    relocatable: false,
    strict: false,
    distance: "",
    selector: 0n,
    ...parts
  };
}
function makeConcrete(operand2, scope, bits) {
  const { kind, column, sizeBytes, strict, distance, register: register2, segment, expression } = operand2;
  const common = { column, sizeBytes, strict, distance };
  if (kind === "register" && register2) {
    return concrete({ ...common, kind, register: register2, sizeBytes: register2.sizeBytes });
  }
  if (!expression) return mistake(column, "This text is too long for an immediate: put it into data with db.");
  if (kind === "memory") {
    const value2 = evaluate(expression, scope);
    return concrete({
      ...common,
      kind,
      segment,
      address: makeAddress(value2, bits, operand2.displacementBytes, column)
    });
  }
  const value = plainValue(expression, scope);
  const rest = { ...common, value: value.constant, known: value.known, relocatable: value.labels !== 0 };
  if (kind !== "far" || !operand2.selector) return concrete({ ...rest, kind: "immediate" });
  const selector = plainValue(operand2.selector, scope).constant;
  if (selector < 0n || selector > 0xffffn)
    mistake(column, `The selector ${selector} does not fit 16 bits: use a smaller one.`);
  return concrete({ ...rest, kind, selector });
}
function plainValue(expression, scope) {
  const value = evaluate(expression, scope);
  if (value.registers.length > 0) {
    mistake(
      expression.column,
      "Registers cannot be calculated with here: only inside brackets, as part of an address."
    );
  }
  return value;
}

// src/guest/asm/operandCodes.ts
var METHODS = /^(sI|[ACDEGIJMNOPQRSTUVWXYZ])([a-z]*)$/;
var parsed = /* @__PURE__ */ new Map();
function parseCode(code) {
  let found2 = parsed.get(code);
  if (!found2) {
    const parts = METHODS.exec(code);
    found2 = parts ? { method: parts[1], type: parts[2] } : { method: "fixed", type: code.toLowerCase() };
    parsed.set(code, found2);
  }
  return found2;
}
var TYPE_BYTES = /* @__PURE__ */ new Map([
  ["b", 1],
  ["w", 2],
  ["d", 4],
  ["y", 4],
  ["q", 8],
  ["s", 6],
  ["t", 10],
  ["dq", 16],
  ["x", 16],
  ["ps", 16],
  ["pd", 16],
  ["ss", 4],
  ["sd", 8],
  ["pi", 8],
  ["si", 4]
]);
function typeBytes(type, width) {
  if (type === "v" || type === "z") return width;
  if (type === "p") return width + 2;
  if (type === "a") return width * 2;
  return TYPE_BYTES.get(type) ?? 0;
}
function dependsOnWidth(type) {
  return type === "v" || type === "z" || type === "p" || type === "a";
}
function matchOperand(code, operand2, draft) {
  const { method, type } = code;
  const bytes = typeBytes(type, draft.width);
  switch (method) {
    case "E":
      return operand2.kind === "memory" ? matchMemory(operand2, type, bytes, draft) : isRegister(operand2, "general", bytes) && setRm(operand2, type, draft);
    case "M":
      return operand2.kind === "memory" && matchMemory(operand2, type, bytes, draft);
    case "G":
      return isRegister(operand2, "general", bytes) && setReg(operand2, type, draft);
    case "R":
      return isRegister(operand2, "general", bytes || 4) && setRm(operand2, type, draft);
    case "Z":
      if (!isRegister(operand2, "general", bytes)) return false;
      noteWidth(type, draft, true);
      draft.opcodeRegister = operand2.register.number;
      return true;
    case "S":
      return isRegister(operand2, "segment", 0) && setReg(operand2, "", draft);
    case "C":
      return isRegister(operand2, "control", 0) && setReg(operand2, "", draft);
    case "D":
      return isRegister(operand2, "debug", 0) && setReg(operand2, "", draft);
    case "T":
      return isRegister(operand2, "test", 0) && setReg(operand2, "", draft);
    case "P":
      return isRegister(operand2, "mmx", 0) && setReg(operand2, "", draft);
    case "V":
      return isRegister(operand2, "xmm", 0) && setReg(operand2, "", draft);
    case "N":
      return isRegister(operand2, "mmx", 0) && setRm(operand2, "", draft);
    case "U":
      return isRegister(operand2, "xmm", 0) && setRm(operand2, "", draft);
    case "Q":
    case "W":
      if (operand2.kind === "memory") return matchMemory(operand2, type, bytes, draft);
      return isRegister(operand2, method === "Q" ? "mmx" : "xmm", 0) && setRm(operand2, "", draft);
    case "I":
    case "sI":
      return operand2.kind === "immediate" && matchImmediate(operand2, code, bytes, draft);
    case "J":
      return operand2.kind === "immediate" && matchTarget(operand2, type, bytes, draft);
    case "A":
      return operand2.kind === "far" && matchFar(operand2, draft);
    case "O":
      if (operand2.kind !== "memory" || operand2.address.base >= 0 || operand2.address.index >= 0) return false;
      if (operand2.address.rm16 >= 0 || !matchMemory(operand2, type, bytes, draft)) return false;
      draft.offset = operand2;
      draft.memory = null;
      return true;
    default:
      return matchFixed(type, operand2, draft);
  }
}
function isRegister(operand2, registerClass, bytes) {
  const { register: register2 } = operand2;
  return register2?.class === registerClass && (bytes === 0 || register2.sizeBytes === bytes);
}
function setReg(operand2, type, draft) {
  noteWidth(type, draft, true);
  draft.reg = operand2.register.number;
  return true;
}
function setRm(operand2, type, draft) {
  noteWidth(type, draft, true);
  draft.rm = operand2.register.number;
  return true;
}
function noteWidth(type, draft, forced) {
  if (!dependsOnWidth(type)) return;
  draft.widthUsed = true;
  if (forced) draft.widthForced = true;
}
function matchMemory(operand2, type, bytes, draft) {
  if (type === "p") {
    const six = operand2.sizeBytes === 6 && bytes === 6;
    const far = operand2.distance === "far" && (operand2.sizeBytes === 0 || operand2.sizeBytes === draft.width);
    if (!six && !far) return false;
  } else {
    if (operand2.distance === "far") return false;
    if (operand2.sizeBytes !== 0 && bytes !== 0 && operand2.sizeBytes !== bytes) return false;
  }
  noteWidth(type, draft, operand2.sizeBytes !== 0);
  draft.memory = operand2;
  draft.memoryBytes = bytes;
  return true;
}
function matchImmediate(operand2, code, bytes, draft) {
  const { value, sizeBytes, known, relocatable, strict } = operand2;
  const extended3 = code.method === "sI";
  const signBytes = extended3 ? draft.width : bytes;
  if (sizeBytes !== 0 && sizeBytes !== bytes && !(extended3 && sizeBytes === draft.width && !strict))
    return false;
  if (extended3 && relocatable && sizeBytes !== 1) return false;
  const limit2 = 1n << BigInt(signBytes * 8);
  if (known && (value >= limit2 || value < -limit2 / 2n)) return outOfRange(operand2, signBytes, draft);
  const signed = BigInt.asIntN(signBytes * 8, value);
  if (known && extended3 && (signed < -128n || signed > 127n)) return outOfRange(operand2, bytes, draft);
  if (dependsOnWidth(code.type) || extended3) {
    draft.widthUsed = true;
    if (sizeBytes === draft.width) draft.widthForced = true;
  }
  draft.immediates.push({ value: signed, bytes, relative: false, known, column: operand2.column });
  return true;
}
function outOfRange(operand2, bytes, draft) {
  draft.reason = `${operand2.value} does not fit ${bytes * 8} bits: use a smaller number or a wider operand.`;
  draft.reasonColumn = operand2.column;
  return false;
}
function matchTarget(operand2, type, bytes, draft) {
  const { distance, sizeBytes, value, known, column } = operand2;
  if (distance === "far") return false;
  if (bytes === 1 ? distance === "near" || sizeBytes > 1 : distance === "short" || sizeBytes === 1)
    return false;
  noteWidth(type, draft, sizeBytes === draft.width);
  draft.immediates.push({ value, bytes, relative: true, known, column });
  return true;
}
function matchFar(operand2, draft) {
  const { sizeBytes, value, selector, known, column } = operand2;
  if (sizeBytes !== 0 && sizeBytes !== draft.width) return false;
  if (known && (value < 0n || value >= 1n << BigInt(draft.width * 8)))
    return outOfRange(operand2, draft.width, draft);
  noteWidth("p", draft, sizeBytes !== 0);
  draft.immediates.push({ value, bytes: draft.width, relative: false, known, column });
  draft.immediates.push({ value: selector, bytes: 2, relative: false, known: true, column });
  return true;
}
function matchFixed(name, operand2, draft) {
  if (/^[0-9]+$/.test(name)) {
    return operand2.kind === "immediate" && operand2.known && !operand2.strict && operand2.value === BigInt(name);
  }
  if (!operand2.register) return false;
  if (/^[er][a-d]x$|^[er][sb]p$|^[er][sd]i$/.test(name)) {
    if (operand2.register.name !== (draft.width === 4 ? "e" : "") + name.slice(1)) return false;
    noteWidth("v", draft, true);
    return true;
  }
  return operand2.register.name === (name === "st" ? "st0" : name);
}

// src/guest/asm/spellings.ts
var CONDITION_SYNONYMS = {
  b: ["c", "nae"],
  nb: ["ae", "nc"],
  z: ["e"],
  nz: ["ne"],
  be: ["na"],
  nbe: ["a"],
  p: ["pe"],
  np: ["po"],
  l: ["nge"],
  nl: ["ge"],
  le: ["ng"],
  nle: ["g"]
};
function spelling(name, width = 0, addressBytes = 0) {
  return { name, width, addressBytes };
}
function sized(name) {
  return [spelling(name), spelling(name + "w", 2), spelling(name + "d", 4)];
}
function synonyms(...names2) {
  return names2.map((name) => spelling(name));
}
var SPELLINGS = /* @__PURE__ */ new Map([
  ["cbw", [spelling("cbw", 2), spelling("cwde", 4)]],
  ["cwd", [spelling("cwd", 2), spelling("cdq", 4)]],
  ["pusha", sized("pusha")],
  ["popa", sized("popa")],
  ["pushf", sized("pushf")],
  ["popf", sized("popf")],
  ["iret", sized("iret")],
  ["jcxz", [spelling("jcxz", 0, 2), spelling("jecxz", 0, 4)]],
  // With a 16-bit operand its result is undefined.
  ["bswap", [spelling("bswap", 4)]],
  ["ret", synonyms("ret", "retn")],
  ["loope", synonyms("loope", "loopz")],
  ["loopne", synonyms("loopne", "loopnz")],
  ["xlat", synonyms("xlat", "xlatb")],
  ["fwait", synonyms("fwait", "wait")],
  ["int1", synonyms("int1", "icebp")],
  // SAL is SHL; its own opcode (/6) is an undocumented double.
  ["shl", synonyms("shl", "sal")],
  ["sal", []],
  // Rows that stand for whole opcodes have no mnemonic of their own.
  ["x87", []]
]);
var CONDITIONAL = /^(j|set|cmov)(\w+)$/;
function spellingsOf(mnemonic, operands) {
  const implied = operands.find((code) => /^[XY]/.test(code));
  if (implied) {
    if (implied.endsWith("b")) return [spelling(mnemonic + "b")];
    return [spelling(mnemonic + "w", 2), spelling(mnemonic + "d", 4)];
  }
  const known = SPELLINGS.get(mnemonic);
  if (known) return known;
  const [, stem, condition2] = CONDITIONAL.exec(mnemonic) ?? [];
  const others = condition2 !== void 0 && Object.hasOwn(CONDITION_SYNONYMS, condition2) ? CONDITION_SYNONYMS[condition2] : [];
  return synonyms(mnemonic, ...others.map((other) => stem + other));
}
var WORD_IN_MEMORY = /* @__PURE__ */ new Set(["sldt", "str", "smsw"]);
function operandLists(mnemonic, operands) {
  if (operands.some((code) => /^[XY]/.test(code))) return [[]];
  const text = operands.join();
  if (text === "Ev,Sw") return [["Rv", "Sw"], ["Mw", "Sw"]];
  if (text === "Sw,Ew") return [["Sw", "Ew"], ["Sw", "Rd"]];
  if (text === "Ev" && WORD_IN_MEMORY.has(mnemonic)) return [["Rv"], ["Mw"]];
  if (text === "Gz,Mp") return [["Gz", "M"]];
  if (text === "Ev,Gv" || text === "Eb,Gb") {
    const swapped = [...operands].reverse();
    if (mnemonic === "xchg") return [swapped, operands];
    if (mnemonic === "test") return [operands, swapped];
  }
  if (text === "Zv,eAX") return [operands, ["eAX", "Zv"]];
  return [operands];
}

// src/guest/asm/forms.ts
var byMnemonic = /* @__PURE__ */ new Map();
for (const row of ISA) {
  if (row.alias) continue;
  for (const { name, width, addressBytes } of spellingsOf(row.mnemonic, row.operands)) {
    const forms = byMnemonic.get(name) ?? [];
    byMnemonic.set(name, forms);
    for (const operands of operandLists(row.mnemonic, row.operands)) {
      const { prefix, opcode, digit, modrm, lockable } = row;
      forms.push({ mnemonic: name, prefix, opcode, digit, modrm, lockable, operands, width, addressBytes });
    }
  }
}
function formsOf(mnemonic) {
  return byMnemonic.get(mnemonic) ?? [];
}
function mnemonics() {
  return [...byMnemonic.keys()];
}
function describeOperands(operands) {
  if (operands.length === 0) return "no operands";
  return operands.map(({ kind, register: register2, sizeBytes }) => {
    if (register2) return register2.name;
    if (kind === "memory") return sizeBytes === 0 ? "memory" : `memory of ${sizeBytes} bytes`;
    return kind === "far" ? "selector:offset" : "a number";
  }).join(", ");
}
var METHOD_NAMES = /* @__PURE__ */ new Map([
  ["E", "r/m"],
  ["G", "reg"],
  ["R", "reg"],
  ["Z", "reg"],
  ["M", "memory"],
  ["O", "[address]"],
  ["I", "number"],
  ["sI", "number"],
  ["J", "label"],
  ["A", "selector:label"],
  ["S", "segment register"],
  ["C", "control register"],
  ["D", "debug register"],
  ["T", "test register"],
  ["P", "mmx"],
  ["Q", "mmx/memory"],
  ["N", "mmx"],
  ["V", "xmm"],
  ["W", "xmm/memory"],
  ["U", "xmm"]
]);
var TYPE_NAMES = /* @__PURE__ */ new Map([["b", "8"], ["w", "16"], ["d", "32"], ["v", "16/32"], ["z", "16/32"], ["q", "64"]]);
function describeForms(forms) {
  const texts = new Set(
    forms.map(({ operands }) => {
      if (operands.length === 0) return "without operands";
      return operands.map(describeCode).join(", ");
    })
  );
  return [...texts].slice(0, 6).join("; ");
}
function describeCode(code) {
  const { method, type } = parseCode(code);
  if (method === "fixed") return code;
  return (METHOD_NAMES.get(method) ?? code) + (TYPE_NAMES.get(type) ?? "");
}

// src/guest/asm/encode.ts
var INSTRUCTION_BYTES_MAX = 15;
var SEGMENT_PREFIXES = [38, 46, 54, 62, 100, 101];
var LOCK = 240;
var OPERAND_SIZE = 102;
var ADDRESS_SIZE = 103;
function encode(instruction) {
  const { mnemonic, operands, column } = instruction;
  const forms = formsOf(mnemonic);
  if (forms.length === 0) {
    mistake(
      column,
      `There is no instruction ${mnemonic}: ${nearest(mnemonic, mnemonics(), "a label needs a colon")}`
    );
  }
  const failure = { reason: "", column: 0 };
  const candidates = forms.flatMap((form2) => candidatesOf(form2, instruction, failure));
  if (candidates.length === 0) {
    if (failure.reason) mistake(failure.column, failure.reason);
    mistake(
      column,
      `${mnemonic} does not take ${describeOperands(operands)}: its forms are ${describeForms(forms)}.`
    );
  }
  checkSize(candidates, instruction);
  checkLock(candidates, instruction);
  let best = null;
  for (const candidate of candidates) {
    if (candidate.length < instruction.minimumBytes) continue;
    if (!best || isBetter(candidate, best)) best = candidate;
  }
  best ??= candidates.reduce((longest, next) => next.length > longest.length ? next : longest);
  if (best.length > INSTRUCTION_BYTES_MAX) {
    mistake(
      column,
      `This instruction has ${best.length} bytes, more than ${INSTRUCTION_BYTES_MAX}: remove prefixes.`
    );
  }
  return emit(best, instruction);
}
function isBetter(one, other) {
  return one.length === other.length ? one.immediateBytes < other.immediateBytes : one.length < other.length;
}
function candidatesOf(form2, instruction, failure) {
  const { operands, bits, operandBytes } = instruction;
  if (form2.operands.length !== operands.length) return [];
  const found2 = [];
  for (const width of bits === 32 ? [4, 2] : [2, 4]) {
    if (operandBytes !== 0 && width !== operandBytes) continue;
    if (form2.width !== 0 && width !== form2.width) continue;
    const draft = newDraft(width);
    if (!form2.operands.every((code, n) => matchOperand(parseCode(code), operands[n], draft))) {
      if (failure.reason === "" && draft.reason !== "") {
        failure.reason = draft.reason;
        failure.column = draft.reasonColumn;
      }
      continue;
    }
    const forced = draft.widthForced || form2.width !== 0 || operandBytes !== 0;
    if (width !== bits / 8 && !forced) continue;
    if (draft.widthUsed || form2.width !== 0 || width === bits / 8 || operandBytes !== 0) {
      found2.push(...candidatesOfDraft(form2, draft, instruction, failure));
    }
  }
  return found2;
}
function newDraft(width) {
  return {
    width,
    widthForced: false,
    widthUsed: false,
    opcodeRegister: -1,
    reg: -1,
    rm: -1,
    memory: null,
    offset: null,
    memoryBytes: 0,
    addressBytes: 0,
    immediates: [],
    reason: "",
    reasonColumn: 0
  };
}
function candidatesOfDraft(form2, draft, instruction, failure) {
  const memory = draft.memory;
  const shapes = memory ? addressForms(memory.address, memory.column) : [null];
  return shapes.flatMap((modrm) => {
    const tail = draft.immediates.reduce((sum2, immediate2) => sum2 + immediate2.bytes, 0);
    const offset = draft.offset ? addressBytesOf(draft, instruction) : 0;
    const shape = form2.modrm ? 1 + (modrm && modrm.sib >= 0 ? 1 : 0) + (modrm?.displacementBytes ?? 0) : 0;
    const length = prefixesOf(form2, draft, instruction).length + form2.opcode.length + shape + offset + tail;
    for (const immediate2 of draft.immediates) {
      const distance = distanceOf(immediate2, instruction.address + length, draft.width);
      if (fits(immediate2, distance)) continue;
      failure.reason = `The target is ${distance} bytes away and a short jump reaches -128 to 127: remove short, or jump over a near jmp.`;
      failure.column = immediate2.column;
      return [];
    }
    return [{ form: form2, draft, modrm, length, immediateBytes: tail }];
  });
}
function distanceOf(immediate2, end2, width) {
  return immediate2.relative ? BigInt.asIntN(width === 2 ? 16 : 32, immediate2.value - BigInt(end2)) : 0n;
}
function fits(immediate2, distance) {
  return !immediate2.known || immediate2.bytes > 1 || distance >= -128n && distance <= 127n;
}
function addressBytesOf(draft, { bits, addressBytes }) {
  return (draft.memory ?? draft.offset)?.address.addressBytes ?? (addressBytes || bits / 8);
}
function prefixesOf(form2, draft, instruction) {
  const { bits, prefixes, operandBytes } = instruction;
  const bytes = [...prefixes];
  const segment = (draft.memory ?? draft.offset)?.segment ?? -1;
  if (segment >= 0) bytes.push(SEGMENT_PREFIXES[segment]);
  const usesWidth = draft.widthUsed || form2.width !== 0 || operandBytes !== 0;
  if (usesWidth && draft.width !== bits / 8 && form2.prefix !== OPERAND_SIZE) bytes.push(OPERAND_SIZE);
  if (addressBytesOf(draft, instruction) !== bits / 8 || form2.addressBytes !== 0 && form2.addressBytes !== bits / 8) {
    bytes.push(ADDRESS_SIZE);
  }
  if (form2.prefix !== 0) bytes.push(form2.prefix);
  return bytes;
}
function checkSize(candidates, { operands, bits, mnemonic }) {
  const unsized = operands.find((operand2) => operand2.kind === "memory" && operand2.sizeBytes === 0);
  if (!unsized) return;
  const sizes = new Set(
    candidates.map(({ draft }) => draft.width === bits / 8 || draft.widthForced ? draft.memoryBytes : 0)
  );
  sizes.delete(0);
  if (sizes.size < 2) return;
  const names2 = [...sizes].map((size) => SIZE_NAMES.get(size) ?? `${size}-byte`);
  mistake(
    unsized.column,
    `How many bytes does ${mnemonic} access here? Write ${names2.join(" or ")} in front of the address.`
  );
}
function checkLock(candidates, { prefixes, mnemonic, column }) {
  if (!prefixes.includes(LOCK)) return;
  if (candidates.some(({ form: form2, draft }) => form2.lockable && draft.memory)) return;
  mistake(
    column,
    `${mnemonic} cannot be locked here, that raises #UD: remove lock, or write db 0xf0 in front if you want it.`
  );
}
var SIZE_NAMES = /* @__PURE__ */ new Map([
  [1, "byte"],
  [2, "word"],
  [4, "dword"],
  [6, "fword"],
  [8, "qword"],
  [10, "tbyte"],
  [16, "oword"]
]);
function emit({ form: form2, draft, modrm, length }, instruction) {
  const bytes = [...prefixesOf(form2, draft, instruction), ...form2.opcode];
  if (draft.opcodeRegister >= 0) bytes[bytes.length - 1] += draft.opcodeRegister;
  if (form2.modrm) {
    const reg = form2.digit >= 0 ? form2.digit : Math.max(draft.reg, 0);
    if (modrm) {
      bytes.push(modrm.mod << 6 | reg << 3 | modrm.rm);
      if (modrm.sib >= 0) bytes.push(modrm.sib);
      push3(bytes, BigInt(draft.memory.address.displacement), modrm.displacementBytes);
    } else bytes.push(192 | reg << 3 | Math.max(draft.rm, 0));
  }
  if (draft.offset)
    push3(bytes, BigInt(draft.offset.address.displacement), addressBytesOf(draft, instruction));
  for (const immediate2 of draft.immediates) {
    const value = immediate2.relative ? distanceOf(immediate2, instruction.address + length, draft.width) : immediate2.value;
    push3(bytes, value, immediate2.bytes);
  }
  return Uint8Array.from(bytes);
}
function push3(bytes, value, count) {
  for (let n = 0; n < count; n++) bytes.push(Number(BigInt.asUintN(8, value >> BigInt(8 * n))));
}

// src/guest/asm/encodeStatement.ts
var OPERAND_SIZES = /* @__PURE__ */ new Map([["o16", 2], ["o32", 4]]);
var ADDRESS_SIZES = /* @__PURE__ */ new Map([["a16", 2], ["a32", 4]]);
var DECIMAL = operand({ expression: { kind: "number", value: 10n, column: 0 } });
var NOP_BYTES_MAX = 4096;
var NOPS2 = [
  [],
  [144],
  [102, 144],
  [15, 31, 0],
  [15, 31, 64, 0],
  [15, 31, 68, 0, 0],
  [102, 15, 31, 68, 0, 0],
  [15, 31, 128, 0, 0, 0, 0],
  [15, 31, 132, 0, 0, 0, 0, 0],
  [102, 15, 31, 132, 0, 0, 0, 0, 0]
];
function encodeStatement(body, context) {
  const { scope, bits, minimumBytes, column } = context;
  const sizes = body.prefixes.map((word) => OPERAND_SIZES.get(word) ?? 0);
  const widths = body.prefixes.map((word) => ADDRESS_SIZES.get(word) ?? 0);
  const prefixes = body.prefixes.filter((word) => !OPERAND_SIZES.has(word) && !ADDRESS_SIZES.has(word)).map((word) => PREFIXES.get(word));
  if (body.mnemonic === "") return Uint8Array.from(body.prefixes, (word) => PREFIXES.get(word));
  const [first] = body.operands;
  if (body.mnemonic === "nop" && body.operands.length === 1 && first.kind === "immediate")
    return nops(first, context);
  return encode({
    mnemonic: body.mnemonic,
    prefixes,
    operandBytes: Math.max(0, ...sizes),
    addressBytes: Math.max(0, ...widths),
    operands: withDefaults(body).map((written) => makeConcrete(written, scope, bits)),
    bits,
    address: scope.here,
    minimumBytes,
    column
  });
}
function withDefaults({ mnemonic, operands }) {
  const [first, second] = operands;
  if (mnemonic === "imul" && operands.length === 2 && second.kind === "immediate")
    return [first, first, second];
  return (mnemonic === "aam" || mnemonic === "aad") && operands.length === 0 ? [DECIMAL] : operands;
}
function nops(count, { scope, bits }) {
  const total = integer(count.expression, scope, "The length of a nop", 1, NOP_BYTES_MAX);
  if (bits === 16 && total > 1) mistake(count.column, "Multi-byte NOPs are for 32-bit code: use times n nop.");
  const bytes = [];
  for (let left = total; left > 0; left -= NOPS2.length - 1)
    bytes.push(...NOPS2[Math.min(left, NOPS2.length - 1)]);
  return Uint8Array.from(bytes);
}

// src/guest/asm/sections.ts
var PROGRAM_BYTES_MAX = 4 << 20;
var SPACE_END2 = 4294967296;
function defaultAccess(name) {
  if (/^\.text(\.|$)/.test(name)) return "rwx";
  return /^\.rodata(\.|$)/.test(name) ? "r" : "rw";
}
var Output = class {
  sections = [];
  #starts;
  #current;
  #bytes = 0;
  /** `starts`: where the sections without an address of their own went after the last pass. */
  constructor(starts, origin) {
    this.#starts = starts;
    this.enter(".text", "", 1, 1);
    this.place(starts.get(".text") ?? origin, false);
  }
  get section() {
    return this.#current;
  }
  get here() {
    const fragment = this.#fragment;
    return fragment.start + fragment.bytes.length;
  }
  get sectionStart() {
    return this.#fragment.start;
  }
  get isCode() {
    return this.#current.access.includes("x");
  }
  get #fragment() {
    return this.#current.fragments[this.#current.fragments.length - 1];
  }
  /** Continues section `name`, or opens it. */
  enter(name, access, line, column) {
    const known = this.sections.find((section2) => section2.name === name);
    if (known) {
      if (access !== "" && access !== known.access) {
        mistake(
          column,
          `Section ${name} was opened with access ${known.access}: say ${access} there, or leave it out here.`
        );
      }
      this.#current = known;
      return;
    }
    const section = {
      name,
      access: access || defaultAccess(name),
      line,
      column,
      address: -1,
      align: 1,
      fragments: []
    };
    section.fragments.push({ placed: -1, start: this.#starts.get(name) ?? 0, bytes: [] });
    this.sections.push(section);
    this.#current = section;
  }
  /** The current section begins at `address` (`section NAME ADDRESS`). */
  setAddress(address, column) {
    const section = this.#current;
    if (section.address >= 0 && section.address !== address) {
      mistake(column, `Section ${section.name} already has another address: give it once, or use org.`);
    }
    if (section.address < 0 && section.fragments.some((fragment) => fragment.bytes.length > 0)) {
      mistake(
        column,
        `Section ${section.name} already has contents: give its address where it is first opened.`
      );
    }
    section.address = address;
    this.place(address, true);
  }
  /** What follows goes to `address`; not `fixed`: the section may still be moved by layout. */
  place(address, fixed) {
    const section = this.#current;
    const last = this.#fragment;
    if (fixed && last.placed === address && last.bytes.length === 0) return;
    const fragment = { placed: fixed ? address : -1, start: address, bytes: [] };
    if (last.bytes.length === 0) section.fragments.pop();
    section.fragments.push(fragment);
  }
  alignTo(boundary) {
    this.#current.align = Math.max(this.#current.align, boundary);
  }
  emit(bytes, column) {
    this.#bytes += bytes.length;
    if (this.#bytes > PROGRAM_BYTES_MAX) {
      mistake(column, `The program has more than ${PROGRAM_BYTES_MAX >> 20} MB: make its data smaller.`);
    }
    if (this.here + bytes.length > SPACE_END2)
      mistake(column, "This runs past the end of the 4 GB address space: place it lower.");
    const target = this.#fragment.bytes;
    for (let n = 0; n < bytes.length; n++) target.push(bytes[n]);
  }
};
function placeSections(sections, origin, sectionAlign, fail) {
  const taken = placedRanges(sections);
  taken.forEach(({ start, section }, n) => {
    if (n === 0 || start >= taken[n - 1].end) return;
    const other = taken[n - 1].section;
    const [late, early] = section.line >= other.line ? [section, other] : [other, section];
    fail(late, `Section ${late.name} overlaps ${early.name}: choose addresses further apart.`);
  });
  const starts = /* @__PURE__ */ new Map();
  let from = origin;
  for (const section of sections) {
    const [first] = section.fragments;
    if (first.placed >= 0) continue;
    const align = Math.max(section.align, from === origin ? 1 : sectionAlign);
    let start = alignUp(from, align);
    for (const range of taken) {
      const rangeStart = range.start - range.start % sectionAlign;
      const rangeEnd = alignUp(range.end, sectionAlign);
      if (rangeEnd > start && rangeStart < start + first.bytes.length) start = alignUp(rangeEnd, align);
    }
    starts.set(section.name, start);
    from = alignUp(start + first.bytes.length, first.bytes.length > 0 ? sectionAlign : 1);
    if (from > SPACE_END2)
      fail(section, `No free addresses are left for section ${section.name}: place it yourself.`);
  }
  return starts;
}
function placedRanges(sections) {
  return sections.flatMap(
    (section) => section.fragments.filter(({ placed, bytes }) => placed >= 0 && bytes.length > 0).map(({ start, bytes }) => ({ start, end: start + bytes.length, section }))
  ).sort((a, b) => a.start - b.start || a.end - b.end);
}
function alignUp(value, align) {
  return Math.ceil(value / align) * align;
}

// src/guest/asm/passes.ts
var PASSES_MAX3 = 60;
var PASSES_FREE = 8;
var REPEATS_MAX = 1 << 16;
var MOVES_MAX = 1024;
var ADDRESS_MAX2 = 4294967295;
function layOut2(statements, options, problems) {
  const layout = new Layout(statements, options, problems);
  if (problems.list.length > 0) return layout.pass(false, new Problems()).result;
  for (let pass = 0; pass < PASSES_MAX3; pass++) {
    const found3 = new Problems();
    const { result: result2, moved } = layout.pass(pass >= PASSES_FREE, found3);
    if (moved) continue;
    for (const problem of found3.list) problems.add(problem.line, problem.column, problem.message);
    return result2;
  }
  const found2 = new Problems();
  const { result } = layout.pass(true, found2);
  if (found2.list.length === 0) {
    problems.add(
      1,
      1,
      "Sizes and addresses do not settle, since they depend on one another: look for times, align, org or equ that use later labels."
    );
  }
  for (const problem of found2.list) problems.add(problem.line, problem.column, problem.message);
  return result;
}
var Layout = class {
  #statements;
  #options;
  #symbols = /* @__PURE__ */ new Map();
  /** Bytes that each instruction took in the last pass. */
  #lengths;
  #starts = /* @__PURE__ */ new Map();
  // State of one pass.
  #output;
  #problems;
  #moved = false;
  #growOnly = false;
  #bits = 32;
  #repeats = 0;
  #moves = 0;
  constructor(statements, options, problems) {
    this.#statements = statements;
    this.#options = options;
    this.#lengths = new Int32Array(statements.length);
    for (const [name, value] of options.symbols) this.#symbols.set(name, number(BigInt(value)));
    for (const { line, label, labelColumn, body } of statements) {
      const name = body?.kind === "equ" ? body.name : label;
      if (name === "" || body?.kind === "equ" && options.symbols.has(name)) continue;
      if (this.#symbols.has(name)) {
        problems.add(line, labelColumn, `${name} is already defined: choose another name.`);
        continue;
      }
      this.#symbols.set(name, body?.kind === "equ" ? UNKNOWN2 : number(0n, 1, false));
    }
  }
  pass(growOnly, problems) {
    this.#output = new Output(this.#starts, this.#options.origin);
    this.#problems = problems;
    this.#growOnly = growOnly;
    this.#moved = false;
    this.#bits = 32;
    this.#repeats = 0;
    this.#moves = 0;
    const labels = /* @__PURE__ */ new Map();
    const lines = [];
    this.#statements.forEach((statement, index) => {
      const { line, column, label, body } = statement;
      problems.attempt(line, column, () => {
        if (label !== "") {
          labels.set(label, { address: this.#output.here, section: this.#output.section });
          this.#define(label, number(BigInt(this.#output.here), 1));
        }
        if (!body) return;
        const before2 = this.#output.here;
        this.#run(body, statement, index);
        if (body.kind === "instruction" || body.kind === "data" || body.kind === "times") {
          if (this.#output.here > before2) lines.push({ address: before2, line });
        }
      });
    });
    this.#checkKnown();
    const { origin, sectionAlign } = this.#options;
    const starts = placeSections(
      this.#output.sections,
      origin,
      sectionAlign,
      (section, message) => problems.add(section.line, section.column, message)
    );
    for (const [name, start] of starts) {
      if (this.#starts.get(name) !== start) this.#moved = true;
    }
    this.#starts = starts;
    lines.sort((a, b) => a.address - b.address);
    return {
      result: { sections: this.#output.sections, labels, lines, scope: this.#scope() },
      moved: this.#moved
    };
  }
  #define(name, value) {
    const old = this.#symbols.get(name);
    if (!old || old.constant !== value.constant || old.labels !== value.labels || old.known !== value.known) {
      this.#moved = true;
      this.#symbols.set(name, value);
    }
  }
  /** A name that has no value when nothing moves any more is defined by itself. */
  #checkKnown() {
    if (this.#problems.list.length > 0) return;
    for (const { line, labelColumn, body } of this.#statements) {
      if (body?.kind !== "equ" || this.#symbols.get(body.name)?.known) continue;
      this.#problems.add(
        line,
        labelColumn,
        `${body.name} has no value, since it depends on itself: break the circle.`
      );
    }
  }
  #scope() {
    const symbols = this.#symbols;
    return {
      here: this.#output.here,
      sectionStart: this.#output.sectionStart,
      lookUp: (name) => symbols.get(name),
      suggest: (name) => nearest(name, [...symbols.keys()], "define it, or correct the name")
    };
  }
  #run(body, statement, index) {
    const output2 = this.#output;
    const { column } = statement;
    switch (body.kind) {
      case "instruction":
        output2.emit(this.#instruction(body, column, index), column);
        return;
      case "data":
        for (const item of body.items) output2.emit(this.#datum(item, body.unitBytes), item.column);
        return;
      case "reserve": {
        const count = integer(body.count, this.#scope(), "The number of elements", 0, PROGRAM_BYTES_MAX);
        output2.emit(new Uint8Array(Math.min(count * body.unitBytes, PROGRAM_BYTES_MAX + 1)), column);
        return;
      }
      case "times": {
        const count = integer(body.count, this.#scope(), "The count of times", 0, REPEATS_MAX);
        for (let n = 0; n < count; n++) {
          if (++this.#repeats > REPEATS_MAX) {
            mistake(column, `times repeats more than ${REPEATS_MAX} lines in all: use resb, or fewer.`);
          }
          this.#run(body.body, statement, index);
        }
        return;
      }
      case "align":
        this.#align(body, column);
        return;
      case "org":
        this.#countMove(column);
        output2.place(integer(body.address, this.#scope(), "The address", 0, ADDRESS_MAX2), true);
        return;
      case "section": {
        this.#countMove(column);
        const { name, access, address } = body;
        const place = address && integer(address, this.#scope(), "The address", 0, ADDRESS_MAX2);
        output2.enter(name, access, statement.line, column);
        if (place !== null) output2.setAddress(place, column);
        return;
      }
      case "bits":
        this.#bits = body.bits;
        return;
      case "equ": {
        if (this.#options.symbols.has(body.name)) return;
        const value = evaluate(body.value, this.#scope());
        if (value.registers.length > 0)
          mistake(column, "equ gives a name to a number: a register cannot stand here.");
        this.#define(body.name, value);
        return;
      }
      case "declaration":
        return;
    }
  }
  #instruction(body, column, index) {
    const minimumBytes = this.#growOnly ? this.#lengths[index] : 0;
    try {
      const bytes = encodeStatement(body, { scope: this.#scope(), bits: this.#bits, minimumBytes, column });
      this.#lengths[index] = Math.max(minimumBytes, bytes.length);
      return bytes;
    } catch (error) {
      this.#output.emit(new Uint8Array(this.#lengths[index]), column);
      throw error;
    }
  }
  #countMove(column) {
    if (++this.#moves > MOVES_MAX)
      mistake(column, `More than ${MOVES_MAX} changes of section or address: use fewer.`);
  }
  #align(body, column) {
    const output2 = this.#output;
    const boundary = integer(body.boundary, this.#scope(), "The alignment", 1, 1 << 20);
    if ((boundary & boundary - 1) !== 0)
      mistake(column, `${boundary} is not a power of 2: use 4, 8, 16, 32 or 64.`);
    output2.alignTo(boundary);
    const count = (boundary - output2.here % boundary) % boundary;
    if (body.fill) {
      output2.emit(
        new Uint8Array(count).fill(integer(body.fill, this.#scope(), "The fill", -128, 255)),
        column
      );
    } else {
      output2.emit(new Uint8Array(count).fill(output2.isCode ? 144 : 0), column);
    }
  }
  #datum(item, unitBytes) {
    if (item.bytes) {
      const bytes2 = new Uint8Array(Math.ceil(item.bytes.length / unitBytes) * unitBytes);
      bytes2.set(item.bytes);
      return bytes2;
    }
    const bytes = new Uint8Array(unitBytes);
    if (!item.expression) return bytes;
    const value = evaluate(item.expression, this.#scope());
    if (value.registers.length > 0)
      mistake(item.column, "Data is made of numbers: a register cannot stand here.");
    const limit2 = 1n << BigInt(unitBytes * 8);
    if (value.constant >= limit2 || value.constant < -limit2 / 2n) {
      mistake(
        item.column,
        `${value.constant} does not fit ${unitBytes} bytes: use a smaller value or a larger unit.`
      );
    }
    for (let n = 0; n < unitBytes; n++) bytes[n] = Number(BigInt.asUintN(8, value.constant >> BigInt(8 * n)));
    return bytes;
  }
};

// src/guest/asm/assemble.ts
function assemble(source, options = {}) {
  const file = options.file ?? "scenario.asm";
  const problems = new Problems();
  const check = () => {
    if (problems.list.length > 0) throw new AssemblyError(file, problems.list);
  };
  const parsed2 = parse(source, problems);
  const { statements, points } = lowerGuestCalls(parsed2, file, problems);
  check();
  const symbols = new Map(Object.entries(options.symbols ?? {}));
  const origin = options.origin ?? 0;
  const laidOut = layOut2(statements, { origin, sectionAlign: options.sectionAlign ?? 16, symbols }, problems);
  check();
  const segments = laidOut.sections.flatMap(
    ({ name, access, fragments }) => fragments.filter(({ bytes }) => bytes.length > 0).map(({ start, bytes }) => ({ name, address: start, bytes: Uint8Array.from(bytes), access }))
  );
  const isCode2 = (address) => segments.some(
    ({ access, address: start, bytes }) => access.includes("x") && address >= start && address < start + bytes.length
  );
  const declarations = readDeclarations(statements, { ...laidOut.scope, isCode: isCode2 }, problems);
  check();
  return { segments, labels: makeLabels(laidOut, segments), lines: laidOut.lines, points, declarations };
}
function makeLabels(laidOut, segments) {
  const globals = [...laidOut.labels].filter(([name]) => !name.includes(".")).map(([, place]) => place.address);
  const bounds = [...globals, ...segments.map(({ address, bytes }) => address + bytes.length)].sort(
    (a, b) => a - b
  );
  const labels = /* @__PURE__ */ new Map();
  for (const [name, { address, section }] of laidOut.labels) {
    if (name.startsWith("xm:")) continue;
    const local = name.includes(".");
    const end2 = bounds.find((bound2) => bound2 > address);
    const inside = segments.some(
      (segment) => address >= segment.address && address < segment.address + segment.bytes.length
    );
    const kind = local ? "label" : section.access.includes("x") ? "function" : "object";
    labels.set(name, { name, address, sizeBytes: local || !inside ? 0 : (end2 ?? address) - address, kind });
  }
  return labels;
}

// src/guest/asm/image.ts
var PROGRAM_START = 1048576;
function assembleImage(source, options = {}) {
  const file = options.file ?? "scenario.asm";
  const assembled = assemble(source, { origin: PROGRAM_START, sectionAlign: PAGE_BYTES4, ...options });
  const { declarations: declared } = assembled;
  if (declared.vcpus.length === 0) {
    throw new InputError(file, "declares no vCPU: there is no entry point", "add .vcpu LABEL for each");
  }
  const space = new AddressSpace();
  for (const { name, address, bytes } of assembled.segments) space.reserve(address, bytes.length, name);
  space.reserve(0, PAGE_BYTES4, "the null page");
  const vcpus = declared.vcpus.map(({ name, address }, vcpu) => ({ name, entry: address, vcpu }));
  const alone = [declared.init, declared.final].map(
    (found2) => found2 && { name: found2.name, entry: found2.address, vcpu: 0 }
  );
  const [init, final] = alone;
  const actors = [...vcpus, ...alone.filter((actor) => actor !== null)];
  const environment2 = makeEnvironment(actors, vcpus.length, declared.handlers, space);
  const registersOf = (actor) => actor ? environment2.registers[actors.indexOf(actor)] : null;
  return {
    title: options.title ?? (declared.title || file),
    regions: makeRegions([...pieces(assembled), ...environment2.pieces]),
    vcpus: vcpus.map((actor) => ({ name: actor.name, registers: registersOf(actor) })),
    init: registersOf(init),
    final: registersOf(final),
    handledVectors: declared.handlers.map(({ vector }) => vector).sort((a, b) => a - b),
    interrupts: declared.sources.flatMap((from) => sources(from, vcpus.length)),
    sites: declared.sites.map((site) => withForms(file, site, assembled)),
    points: assembled.points,
    objects: declared.objects,
    symbols: [...assembled.labels.values(), ...environment2.symbols].sort(
      (a, b) => a.address - b.address
    ),
    lines: assembled.lines.map(({ address, line }) => ({ address, file, line })),
    sources: { [file]: source.split(/\r\n|\n|\r/) },
    inputs: [{ name: file, bytes: new TextEncoder().encode(source) }],
    linkOptions: Object.entries(options.symbols ?? {}).map(([name, value]) => `--define ${name}=${value}`)
  };
}
function pieces(assembled) {
  return assembled.segments.map(({ name, address, bytes, access }) => {
    const bits = (access.includes("r") ? READ : 0) | (access.includes("w") ? WRITE : 0) | (access.includes("x") ? EXECUTE : 0);
    return { name, address, sizeBytes: bytes.length, bytes, access: bits };
  });
}
function withForms(file, { formLabels, ...site }, { segments }) {
  if (formLabels === void 0) return site;
  const forms = formLabels.map(({ name, address }) => {
    const segment = segments.find((one) => address >= one.address && address + site.sizeBytes <= one.address + one.bytes.length);
    if (!segment) throw new InputError(file, `.forms ${site.name}: there are no ${site.sizeBytes} bytes at ${name}`, "a form has as many bytes as its site");
    return { name, bytes: segment.bytes.slice(address - segment.address, address - segment.address + site.sizeBytes) };
  });
  return { ...site, forms };
}
function sources(from, vcpuCount) {
  const targets = from.vcpu < 0 ? Array.from({ length: vcpuCount }, (_, n) => n) : [from.vcpu];
  return targets.map((vcpu) => ({ ...from, vcpu }));
}

// src/patching/protocol.ts
var IRQ_VECTOR = 64;
function protocolText({ sites, method, caller, vcpus }) {
  const named = sites.map(({ before: before2 }, k) => ({ label: `site${k}`, sizeBytes: before2.length, before: `before${k}`, after: `after${k}` }));
  const each = (write) => named.map(write).join("\n");
  const patch = method.kind === "copy" ? each((site) => copy(site)) : method.kind === "wide" ? each((site) => copyWide(site)) : method.kind === "poke" ? textPoke("poke", named, vcpus, method.steps) : stopMachine("stop", vcpus, each((site) => copy(site)));
  const pass = each(({ label }) => `  call ${label}`);
  const executor = (v) => {
    const run = caller === "task" ? pass : "  nop";
    const stop = method.kind === "stop" ? `  cli
${stopPoint(`executor${v}`, v, method.sync)}
  sti
  nop` : "";
    return `.vcpu executor${v}
executor${v}: sti
  nop
${run}
${stop}
  block
  cli
${run}
  ret`;
  };
  const handler = caller === "task" ? "" : `handler: pushad
${pass}
  popad
  iret
`;
  const sources2 = Array.from({ length: vcpus - 1 }, (_, k) => caller === "irq" ? `.irq ${k + 1}, ${IRQ_VECTOR}, handler, 1
` : caller === "nmi" ? `.nmi ${k + 1}, handler, 1
` : "");
  return `.title "${method.kind}, ${caller}"
.vcpu patcher
${Array.from({ length: vcpus - 1 }, (_, k) => executor(k + 1)).join("\n")}
${sources2.join("")}${handler}${method.kind === "poke" ? `${syncHandler()}
${pokeHandler(named)}
` : ""}
patcher:
${patch}
${Array.from({ length: vcpus - 1 }, (_, k) => `  kick ${k + 1}`).join("\n")}
  ret
${named.map(({ label, sizeBytes, before: before2, after }, k) => `.forms ${label}, ${sizeBytes}, ${before2}, ${after}${method.kind === "poke" ? ", int3" : ""}
section .text
align 64
times ${sites[k].offset} nop
${label}: db ${sites[k].before.join(", ")}
  ret
  times 16 nop`).join("\n")}
section .rodata
${named.map(({ before: before2, after }, k) => `${formBytes(before2, sites[k].before)}
${formBytes(after, sites[k].after)}`).join("\n")}
${patchingData(vcpus)}`;
}
var protocolImage = (protocol) => assembleImage(protocolText(protocol), { file: "protocol.asm" });

// properties/patchingProtocols.ts
var LINE = 64;
var INT33 = 204;
function planOf({ sites, method }) {
  const bytewise = (site, from, to) => sites[site].after.slice(from, to).map((byte2, k) => ({ site, at: from + k, bytes: [byte2] }));
  const all = (write) => sites.flatMap((_, site) => write(site));
  if (method.kind === "poke") {
    const heads = all((site) => [{ site, at: 0, bytes: [INT33] }]);
    const tails = all((site) => bytewise(site, 1, sites[site].after.length));
    const lasts = all((site) => bytewise(site, 0, 1));
    const ends = [heads.length, heads.length + tails.length, heads.length + tails.length + lasts.length];
    const { sync1, sync2, sync3 } = method.steps;
    return { writes: [...heads, ...tails, ...lasts], syncs: ends.filter((_, k) => [sync1, sync2, sync3][k]) };
  }
  if (method.kind !== "wide") return { writes: all((site) => bytewise(site, 0, sites[site].after.length)), syncs: [] };
  const wide = (site) => {
    const { after } = sites[site];
    const out = [];
    for (let at = 0; at < after.length; ) {
      const size = after.length - at >= 4 ? 4 : after.length - at >= 2 ? 2 : 1;
      out.push({ site, at, bytes: after.slice(at, at + size) });
      at += size;
    }
    return out;
  };
  return { writes: all(wide), syncs: [] };
}
function splits({ writes, syncs }, sites) {
  const at = writes.findIndex((write) => (sites[write.site].offset + write.at) % LINE + write.bytes.length > LINE);
  if (at < 0) return [{ writes, syncs }];
  const { site, at: from, bytes } = writes[at];
  const room = LINE - (sites[site].offset + from) % LINE;
  const halves = [{ site, at: from, bytes: bytes.slice(0, room) }, { site, at: from + room, bytes: bytes.slice(room) }];
  return [halves, halves.toReversed()].flatMap((two) => splits({ writes: [...writes.slice(0, at), ...two, ...writes.slice(at + 1)], syncs: syncs.map((one) => one > at ? one + 1 : one) }, sites));
}
function canFail(protocol, number2, { writes, syncs }, rung) {
  const { offset, before: before2, after } = protocol.sites[number2];
  const { kind, chunkBytes } = parseRung(rung);
  const size = before2.length;
  const last = writes.length;
  const contents2 = [[...before2, 195, ...new Array(16).fill(144)]];
  for (const write of writes) {
    const next = contents2[contents2.length - 1].slice();
    if (write.site === number2) write.bytes.forEach((byte2, k) => next[write.at + k] = byte2);
    contents2.push(next);
  }
  const forms = [before2, after].map((form2) => {
    const instructions = /* @__PURE__ */ new Map();
    for (let at = 0; at < size; ) {
      const { length } = decode(Uint8Array.from(form2), at, size - at, true);
      instructions.set(at, form2.slice(at, at + length).join());
      at += length;
    }
    return instructions;
  });
  const task = protocol.caller === "task";
  const bounds = [0, ...syncs, last];
  const seen = /* @__PURE__ */ new Set();
  const fails = (o, t, done, floor, frozen) => {
    if (o >= size) return false;
    const key = `${o} ${t} ${done} ${floor}`;
    if (seen.has(key)) return false;
    seen.add(key);
    const end2 = bounds[done + 1];
    if (task && done < syncs.length && t === end2 && !frozen) {
      const rest = contents2.slice(t + 1, bounds[done + 2] + 1);
      if (o > 0 && rest.some((content, k) => content.slice(o, size).join() !== contents2[t + k].slice(o, size).join())) return true;
      if (fails(o, t, done + 1, t, frozen)) return true;
    }
    if (t < end2 && !frozen && fails(o, t + 1, done, floor, frozen)) return true;
    return fetches(o, t, floor).some((bytes) => {
      const op = decode(Uint8Array.from(bytes), 0, bytes.length, true);
      const text = bytes.slice(0, op.length).join();
      if (protocol.method.kind === "poke" && o === 0 && bytes[0] === INT33) return false;
      if (op.length === 0 || !forms.some((form2) => form2.get(o) === text)) return true;
      return fails(o + op.length, t, done, floor, frozen);
    });
  };
  const fetches = (o, t, floor) => {
    const window = (time) => contents2[time].slice(o, o + 15);
    if (kind === "coherent") return [window(t)];
    const times = Array.from({ length: t - floor + 1 }, (_, k) => floor + k);
    if (kind === "single") return times.map(window);
    let found2 = [{ bytes: [], from: floor }];
    while (found2[0].bytes.length < 15) {
      const at = found2[0].bytes.length;
      const end2 = Math.min(15, at + chunkBytes - (offset + o + at) % chunkBytes);
      const next = /* @__PURE__ */ new Map();
      for (const { bytes, from } of found2)
        for (const time of times) {
          if (kind === "ordered" && time < from) continue;
          const longer = [...bytes, ...window(time).slice(at, end2)];
          const one = next.get(longer.join());
          if (one === void 0 || one.from > time) next.set(longer.join(), { bytes: longer, from: time });
        }
      found2 = [...next.values()];
    }
    return found2.map(({ bytes }) => bytes);
  };
  if (protocol.method.kind === "stop" && protocol.caller !== "nmi") return fails(0, last, 0, protocol.method.sync ? last : 0, true);
  return bounds.slice(0, -1).some((from, done) => fails(0, from, done, from, false));
}
var predict = (protocol, rung) => splits(planOf(protocol), protocol.sites).some((plan) => protocol.sites.some((_, number2) => canFail(protocol, number2, plan, rung))) ? "violated" : "holds";
var byte = fc.nat({ max: 255 });
var INSTRUCTIONS = {
  1: fc.constantFrom([144], [248], [245]),
  2: fc.oneof(fc.constantFrom([102, 144], [137, 246]), byte.map((imm) => [176, imm])),
  3: fc.oneof(fc.constant([...NOPS.p6[2]]), byte.map((imm) => [131, 192, imm])),
  4: fc.constantFrom([...NOPS.p6[3]], [...NOPS.k8[3]]),
  5: fc.oneof(fc.constant([...NOPS.p6[4]]), fc.tuple(byte, byte, byte, byte).map((imm) => [184, ...imm]), fc.tuple(byte, byte, byte, byte).map((imm) => [5, ...imm])),
  6: fc.constant([...NOPS.p6[5]])
};
var partition = (size) => size === 0 ? fc.constant([]) : fc.oneof({ weight: 2, arbitrary: fc.constant([size]) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: size }).chain((first) => partition(size - first).map((rest) => [first, ...rest])) });
var form = (size) => partition(size).chain((parts) => fc.tuple(...parts.map((part) => INSTRUCTIONS[part])).map((instructions) => instructions.flat()));
var anySite = fc.tuple(fc.integer({ min: 1, max: 6 }), fc.nat({ max: 63 })).chain(([size, offset]) => fc.record({ offset: fc.constant(offset), before: form(size), after: form(size) }));
var steps = fc.record({ sync1: fc.boolean(), sync2: fc.boolean(), sync3: fc.boolean() });
var anyMethod = fc.oneof(
  fc.constantFrom({ kind: "copy" }, { kind: "wide" }),
  fc.boolean().map((sync) => ({ kind: "stop", sync })),
  steps.map((made) => ({ kind: "poke", steps: made }))
);
var anyProtocol = fc.record({
  sites: fc.oneof({ weight: 4, arbitrary: fc.tuple(anySite) }, { weight: 1, arbitrary: fc.tuple(anySite, anySite) }),
  method: anyMethod,
  caller: fc.constantFrom("task", "irq", "nmi"),
  vcpus: fc.constant(2)
});
var rungs = fc.constantFrom(...RUNGS.filter((rung) => rung !== "strict"));
var EVENTS = 8e3;
function judge(protocol, fetch, events = EVENTS) {
  const result = checkImage(protocolImage(protocol), makeModel({ fetch }), { engine: "graph", limits: { events } });
  return result.verdict === "violated" ? "violated" : result.strength === "complete" ? "holds" : void 0;
}

// properties/camp.ts
var end = Date.now() + 6e4;
var counts = {};
var bad = 0;
for (const [p, r] of fc2.sample(fc2.tuple(anyProtocol, rungs), { numRuns: 3e3, seed: Number(process.argv[2] ?? 1) })) {
  if (Date.now() > end || bad > 5) break;
  const v = judge(p, r, 3e4) ?? "cut";
  counts[v] = (counts[v] ?? 0) + 1;
  if (v === "cut") continue;
  const e = predict(p, r);
  if (e !== v) {
    bad++;
    console.log("MACHINE", v, "ORACLE", e, r, JSON.stringify(p));
  }
}
console.log(counts);
