import fc from 'fast-check';
import { type Trace } from '../src/index.ts';
/**
 * `fc.assert`, which keeps what the shrunk counterexample did.
 * @param traceOf the trace of a failing case; null where it has none (a counterexample that was missed)
 */
export declare function assertProperty<T extends [unknown, ...unknown[]]>(name: string, property: fc.IPropertyWithHooks<T>, parameters: fc.Parameters<T>, traceOf: (...values: T) => Trace | null): void;
