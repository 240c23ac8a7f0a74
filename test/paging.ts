/** Assembly of programs that run on page tables of their own. */

/**
 * Turns paging on, with 4 MB pages, and write protection for the kernel too (unless `cr0` leaves it out). Changes EAX.
 * @param directory label of the page directory, or of the table of PDPTEs with PAE
 * @param cr4 further bits of CR4
 */
export const pagingOn = (directory = 'dir', cr4 = 0, cr0 = '0x80010000'): string => `    mov eax, ${directory}
    mov cr3, eax
    mov eax, ${cr4 | 0x10}
    mov cr4, eax
    mov eax, cr0
    or eax, ${cr0}
    mov cr0, eax
`
