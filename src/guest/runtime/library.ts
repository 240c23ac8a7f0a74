import type { LibraryMember } from '../elf/resolve.ts'
export const RUNTIME: readonly LibraryMember[] = []
