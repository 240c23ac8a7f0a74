import type { ObjectFile } from '../../src/guest/elf/link.ts';
import { InputError } from '../../src/guest/inputError.ts';
/** A committed object: of test/guest/fixtures, or `examples/NAME`. */
export declare function object(name: string): ObjectFile;
export declare function text(path: string): string;
export interface LdResult {
    readonly objects: readonly string[];
    readonly placements: readonly string[];
    /** Section contents in hexadecimal. */
    readonly contents: Readonly<Record<string, string>>;
    readonly symbols: Readonly<Record<string, number>>;
    /** [address, line] in the order of the table; line 0 ends a stretch of code. */
    readonly lines: readonly (readonly [number, number])[];
}
/** What GNU ld, nm and objdump made of the fixtures (fixtures/build.mjs). */
export declare const ldResults: Readonly<Record<string, LdResult>>;
/** The InputError that `act` throws; fails the test where it throws none, or something else. */
export declare function inputErrorOf(act: () => unknown): InputError;
