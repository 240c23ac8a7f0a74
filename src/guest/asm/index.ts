/** The assembler: Intel syntax, close to nasm's. A whole scenario (code, data, vCPUs, interrupts, patch sites) is one text: docs/assembly.md. */
export { assemble, assembleBytes } from './assemble.ts'
export type { Assembled, AssembleOptions, Label, Segment } from './assemble.ts'
export { AssemblyError } from './assemblyError.ts'
export type { Declarations, HandlerDeclaration, NamedAddress, SourceDeclaration } from './declarations.ts'
export { assembleImage, type ImageOptions } from './image.ts'
export type { LineRow } from './passes.ts'
export type { Problem } from './problems.ts'
