/** Threads of five or so kinds of instructions over a few cells: a model whose behaviours can be counted by hand. */
import type { Explorable } from '../../src/explore/explorable.ts';
import type { Violation } from '../../src/smp/monitor.ts';
import { Store } from '../../src/state/store.ts';
export type Instruction = {
    readonly op: 'load';
    readonly reg: number;
    readonly cell: number;
}
/** Stores register + `add`. */
 | {
    readonly op: 'store';
    readonly reg: number;
    readonly add: number;
    readonly cell: number;
}
/** Adds 1, atomically and past the buffer. */
 | {
    readonly op: 'inc';
    readonly cell: number;
}
/** Blocks until the cell is 0, and sets it. */
 | {
    readonly op: 'lock';
    readonly cell: number;
} | {
    readonly op: 'assume';
    readonly reg: number;
    readonly value: number;
} | {
    readonly op: 'fail';
    readonly reg: number;
    readonly value: number;
};
export declare const load: (reg: number, cell: number) => Instruction;
export declare const store: (cell: number, reg: number, add: number) => Instruction;
export declare const inc: (cell: number) => Instruction;
export declare const lock: (cell: number) => Instruction;
export declare const assume: (reg: number, value: number) => Instruction;
export declare const fail: (reg: number, value: number) => Instruction;
export interface ToyOptions {
    /** Store buffer entries; 0: stores reach memory at once. */
    readonly buffer?: number;
    /** A load may see the value before the last, as an environment choice. */
    readonly stale?: boolean;
    /** Judges the cells when all have ended. */
    readonly holdsAtEnd?: (cells: readonly number[]) => boolean;
    readonly weaknesses?: readonly string[];
    /** Shared memory as learnt; absent: every cell is known to be shared. */
    readonly sharing?: ToySharing;
}
export declare class ToySharing {
    #private;
    grown: boolean;
    /** Notes that `vcpu` uses `cell`; true where others do too. */
    note(cell: number, vcpu: number): boolean;
}
export declare const CELLS = 3;
export declare class Toy implements Explorable {
    #private;
    readonly store: Store;
    readonly sharing: {
        grown: boolean;
    };
    readonly weaknesses: ReadonlySet<string>;
    violation: Violation | null;
    takes: number;
    constructor(programs: readonly (readonly Instruction[])[], options?: ToyOptions);
    enabled(out: Int32Array): number;
    take(choice: number): number;
    undo(): void;
    canContinue(vcpu: number): boolean;
    bufferedStores(): number;
    isEnvironmentChoice(choice: number): boolean;
    /** Takes since the start that are not undone. */
    get depth(): number;
}
