/**
 * The forms of operations in blocks (forms.ts). They label a switch: this file has nothing but constants, so that the bundler puts
 * the numbers in their places, and the switch is a jump.
 */

// Names: R a register is written (32 bits), R8 a byte register; then the source: nothing for register or immediate, M memory;
// M first: memory is written, or compared, with a register or an immediate.
export const GENERIC = 0
export const NOP = 1
export const MOV_R = 2
export const MOV_RM = 3
export const MOV_M = 4
export const MOV_R8 = 5
export const MOV_R8M = 6
export const MOV_M8 = 7
export const MOV_M16 = 8
export const LEA = 9
export const ADD_R = 10
export const ADD_RM = 11
export const ADD_M = 12
export const SUB_R = 13
export const SUB_RM = 14
export const SUB_M = 15
export const AND_R = 16
export const AND_RM = 17
export const AND_M = 18
export const OR_R = 19
export const OR_RM = 20
export const OR_M = 21
export const XOR_R = 22
export const XOR_RM = 23
export const XOR_M = 24
export const CMP_R = 25
export const CMP_RM = 26
export const CMP_M = 27
export const TEST_R = 28
export const TEST_M = 29
/** ADC and SBB. */
export const ALU_R = 30
export const ALU_RM = 31
export const ALU_M = 32
/** All of the eight on bytes but CMP. */
export const ALU_R8 = 33
export const ALU_R8M = 34
export const ALU_M8 = 35
export const CMP_R8 = 36
export const CMP_R8M = 37
export const CMP_M8 = 38
export const TEST_R8 = 39
export const TEST_M8 = 40
export const INC_R = 41
export const INC_M = 42
export const DEC_R = 43
export const DEC_M = 44
export const NEG_R = 45
export const NOT_R = 46
export const SHL_R = 47
export const SHR_R = 48
export const SAR_R = 49
export const ROL_R = 50
export const ROR_R = 51
export const IMUL_R = 52
export const IMUL_RM = 53
/** Three operands, the last an immediate. */
export const IMUL_3 = 54
export const MOVZX_8 = 55
export const MOVZX_16 = 56
export const MOVZX_8M = 57
export const MOVZX_16M = 58
export const MOVSX_8 = 59
export const MOVSX_8M = 60
export const MOVSX_16 = 61
export const MOVSX_16M = 62
export const SET = 63
export const CMOV = 64
export const CDQ = 65
export const PUSH = 66
export const POP = 67
export const LEAVE = 68
// The last of a block; a comparison or DEC together with the jump behind it.
export const JCC = 69
export const CMP_JCC = 70
export const TEST_JCC = 71
export const DEC_JCC = 72
export const JMP = 73
export const JMP_M = 74
export const JMP_R = 75
export const CALL = 76
export const RET = 77
// Without flags, where nobody can see them (quietFlags.ts).
export const SUB_Q = 78
export const AND_Q = 79
export const OR_Q = 80
export const XOR_Q = 81
export const SHR_Q = 82
export const SAR_Q = 83
export const ROL_Q = 84
/** A string instruction with REP: as many iterations as there are, each an instruction; the last of a block. */
export const REPEAT = 85

/** Bit of `runBlocks`' segments: SS is flat, and ESP the stack pointer. */
export const STACK = 1 << 8
