/** Source lines that use every form of the ISA table, with operands of all kinds: for the oracles. */
import { type Form } from '../../../src/guest/asm/forms.ts';
/** Lines for one form, in 32-bit code. */
export declare function samplesOf(form: Form): string[];
export declare function allSamples(): string[];
