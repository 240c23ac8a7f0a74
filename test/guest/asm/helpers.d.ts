import { type AssembleOptions } from '../../../src/guest/asm/index.ts';
export declare function hex(source: string, options?: AssembleOptions): string;
export declare function toHex(bytes: Uint8Array): string;
/** `line:column message` of every mistake in `source`. */
export declare function mistakes(source: string): string[];
