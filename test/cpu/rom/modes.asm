; A ROM of 64 KB that walks an i386 through its modes and checks what it finds. nasm syntax; build.sh assembles it.
;
; Starts at the reset vector, needs 1 MB of RAM below the ROM and nothing else. Reports on port 190h: the number of each part when it begins,
; FFh at the end, EEh on the first mistake, whose source line goes to port 192h (16 bits) before.
;
;   00000 real-mode vectors   00500 variables   01000 GDT   02000 IDT   03000 TSS (main)  03100 TSS2  03200 TSS of #DF
;   03400 LDT   04000, 05000 pages for the page tests   06000-07000 ring-0 stack   08000-09000 ring-3 stack   09000 scratch page
;   0a000 page directory  0b000 page table 0   0c000 page table 1   10000 V86 segment   20000 real-mode stack segment

POST_PORT equ 0x190
LINE_PORT equ 0x192

; variables
expVector equ 0x500         ; -1: no fault is expected
expError equ 0x504
expEip equ 0x508
resume equ 0x50c
gotCr2 equ 0x518
counter equ 0x51c
savedEsp equ 0x520
vmonCount equ 0x524
mapOnce equ 0x528          ; 1: the handler of the next fault maps page 400000

GDT_BASE equ 0x1000
IDT_BASE equ 0x2000
TSS_BASE equ 0x3000
TSS2_BASE equ 0x3100
TSSD_BASE equ 0x3200
LDT_BASE equ 0x3400
SCRATCH equ 0x9000
PD equ 0xa000
PT0 equ 0xb000
PT1 equ 0xc000

CODE0 equ 0x08              ; base f0000: offsets are those of this file
DATA0 equ 0x10
CODE3 equ 0x1b
DATA3 equ 0x23
TSS equ 0x28
TSS2 equ 0x30
TSSD equ 0x38
LDT equ 0x40
CODE16 equ 0x48             ; 16-bit code, base f0000
STACK16 equ 0x50            ; 16-bit data, 64 KB
CONFORMING equ 0x58
READONLY equ 0x60
DOWN equ 0x68               ; expand-down, above fff
ABSENT equ 0x70
GATE0 equ 0x78              ; call gate, DPL 3, two parameters
GATE16 equ 0x80             ; 16-bit call gate, DPL 3, one parameter
TASKGATE equ 0x88
BADGATE equ 0x90            ; call gate, DPL 0
FLATCODE equ 0x98
TSS16 equ 0xa0
GDT_LAST equ 0xa7

%macro POST 1
    mov al, %1
    mov dx, POST_PORT
    out dx, al
%endmacro

; Fails at this line unless the condition holds.
%macro CHECK 1
    j%1 %%ok
    mov eax, __LINE__
    int 0xfe
%%ok:
%endmacro

; The instruction must fault at its own address, with this error code; flat DS.
%macro FAULT 3+
    mov dword [expVector], %1
    mov dword [expError], %2
    mov dword [expEip], %%at
    mov dword [resume], %%next
%%at:
    %3
    mov eax, __LINE__
    int 0xfe
%%next:
    cmp dword [expVector], -1
    CHECK e
%endmacro

    cpu 686
    org 0
    section .text
    bits 16

; ------------------------------------------------------------------------------------------------ real mode
start:
    cli
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ax, 0x2000
    mov ss, ax
    mov sp, 0x1000
    cld
    ; every vector leads to realUnexpected, fe to realFail
    xor di, di
    mov cx, 256
.vectors:
    mov word [di], realUnexpected
    mov word [di + 2], 0xf000
    add di, 4
    loop .vectors
    mov word [0xfe * 4], realFail

    POST 1
    ; segments are 16 bytes apart, and offsets wrap only at the limit
    mov ax, 0x900
    mov fs, ax
    mov dword [fs:0x10], 0x11223344
    mov ax, 0x901
    mov gs, ax
    cmp dword [gs:0], 0x11223344
    CHECK e
    mov bx, fs
    cmp bx, 0x900
    CHECK e
    ; the stack pointer wraps from 0 to fffe
    mov bp, sp
    xor sp, sp
    push ax
    cmp sp, 0xfffe
    CHECK e
    pop cx
    cmp sp, 0
    CHECK e
    cmp cx, ax
    CHECK e
    mov sp, bp
    ; the upper half of ESP is not touched
    mov esp, 0x55550000
    mov sp, bp
    push eax
    add esp, 4
    mov ebx, esp
    shr ebx, 16
    cmp bx, 0x5555
    CHECK e
    movzx esp, bp

    ; interrupts: INT n comes back with the flags as they were
    mov word [0x60 * 4], realHandler
    stc
    sti
    int 0x60
    CHECK c
    pushf
    pop ax
    test ax, 0x200
    CHECK nz
    cli
    ; exceptions point at the instruction, and push no error code
%macro REALFAULT 2+
    mov word [%1 * 4], %%handler
    mov bp, sp
%%at:
    %2
    mov eax, __LINE__
    int 0xfe
%%handler:
    mov ax, bp
    sub ax, 6
    cmp sp, ax
    CHECK e
    pop ax
    cmp ax, %%at
    CHECK e
    add sp, 4
    mov word [%1 * 4], realUnexpected
%endmacro
    xor cx, cx
    REALFAULT 0, div cx
    REALFAULT 6, ud2
    REALFAULT 13, mov ax, [0xffff]
    REALFAULT 13, mov eax, [0xfffd]
    REALFAULT 6, db 0xf0, 0x90
    REALFAULT 6, lldt ax
    REALFAULT 6, arpl ax, bx
    mov dword [SCRATCH], 0x00060005
    mov bx, 7
    REALFAULT 5, bound bx, [SCRATCH]
    mov edi, 0x10000
    REALFAULT 13, mov al, [edi]
    mov ebx, 0xffff
    REALFAULT 12, mov ax, [ss:ebx]
    ; far CALL and RET, LES
    push word 0x1234
    call 0xf000:realFar
    CHECK c
    mov dword [SCRATCH], 0x12345678
    les di, [SCRATCH]
    mov ax, es
    cmp ax, 0x1234
    CHECK e
    cmp di, 0x5678
    CHECK e
    xor ax, ax
    mov es, ax
    ; PUSHA and POPA, ENTER and LEAVE on SP
    mov bp, 0x7777
    mov di, sp
    enter 8, 3
    mov ax, di
    sub ax, 8 + 8
    cmp sp, ax
    CHECK e
    leave
    cmp bp, 0x7777
    CHECK e
    cmp sp, di
    CHECK e

    POST 2
    ; tables, in real mode
    mov esi, gdtImage
    mov edi, GDT_BASE
    mov ecx, gdtImageEnd - gdtImage
    a32 rep cs movsb
    ; IDT: vector n leads to its stub; the first 32 with DPL 0, fe and 80-8f with DPL 3
    mov edi, IDT_BASE
    mov eax, stubs
    mov ecx, 256
.idt:
    mov [edi], ax
    mov word [edi + 2], CODE0
    mov word [edi + 4], 0x8e00
    mov word [edi + 6], 0
    add eax, 8
    add edi, 8
    loop .idt
    mov word [IDT_BASE + 3 * 8 + 4], 0xee00
    mov word [IDT_BASE + 0xfe * 8 + 4], 0xee00
    mov word [IDT_BASE + 0x80 * 8 + 4], 0xee00
    mov word [IDT_BASE + 0x21 * 8 + 4], 0x8200
    mov word [IDT_BASE + 0x22 * 8 + 4], 0x0e00
    mov dword [expVector], -1
    mov dword [counter], 0
    mov dword [mapOnce], 0
    ; TSSs: zeros first
    mov edi, TSS_BASE
    mov ecx, 0x500
    xor al, al
    a32 rep stosb
    mov dword [TSS_BASE + 4], 0x7000
    mov dword [TSS_BASE + 8], DATA0
    mov word [TSS_BASE + 102], 104

    ; big real mode: limits survive PE
    o32 lgdt [cs:gdtPointer]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp short .protected
.protected:
    mov bx, DATA0
    mov fs, bx
    and al, 0xfe
    mov cr0, eax
    jmp 0xf000:.real
.real:
    xor bx, bx
    mov fs, bx
    mov edi, 0x30000
    mov dword [fs:edi], 0x5a5a5a5a
    mov ax, 0x3000
    mov gs, ax
    cmp dword [gs:0], 0x5a5a5a5a
    CHECK e

    POST 3
    o32 lidt [cs:idtPointer]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp dword CODE0:protected

realFar:
    push bp
    mov bp, sp
    cmp word [bp + 6], 0x1234
    pop bp
    stc
    je .ok
    clc
.ok:
    retf 2
realHandler:
    push bp
    mov bp, sp
    push ax
    pushf
    pop ax
    test ax, 0x300
    pop ax
    pop bp
    CHECK z
    clc
    iret
realUnexpected:
    mov eax, __LINE__
realFail:
    mov dx, LINE_PORT
    out dx, ax
    POST 0xee
    hlt
    jmp $

; ------------------------------------------------------------------------------------------------ protected mode, ring 0
    bits 32
protected:
    mov ax, DATA0
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    mov ss, ax
    mov esp, 0x7000
    mov ax, LDT
    lldt ax
    mov ax, TSS
    ltr ax
    test byte [GDT_BASE + TSS + 5], 2       ; busy
    CHECK nz
    str ax
    cmp ax, TSS
    CHECK e
    sldt ax
    cmp ax, LDT
    CHECK e
    test byte [GDT_BASE + DATA0 + 5], 1     ; accessed
    CHECK nz
    smsw eax
    test al, 1
    CHECK nz

    POST 4
    ; limits, types, selectors
    mov ax, READONLY
    mov fs, ax
    FAULT 13, 0, mov [fs:SCRATCH], eax
    mov ax, DOWN
    mov fs, ax
    mov al, [fs:0x1000]
    FAULT 13, 0, mov al, [fs:0xfff]
    mov ax, STACK16
    mov fs, ax
    mov al, [fs:0xffff]
    FAULT 13, 0, mov ax, [fs:0xffff]
    FAULT 13, 0, mov eax, [fs:0xffffffff]
    FAULT 13, 0, mov [cs:0], eax
    xor ax, ax
    mov fs, ax
    FAULT 13, 0, mov eax, [fs:0]
    FAULT 13, 0, mov ss, ax
    mov ax, ABSENT
    FAULT 11, ABSENT, mov fs, ax
    FAULT 12, ABSENT, mov ss, ax
    mov ax, DATA0 | 1
    FAULT 13, DATA0, mov ss, ax
    mov ax, 0x200
    FAULT 13, 0x200, mov gs, ax
    mov ax, LDT
    FAULT 13, LDT, mov gs, ax
    mov ax, TSS
    FAULT 13, TSS, ltr ax
    FAULT 13, CODE3 & ~3, jmp CODE3:0
    FAULT 13, 0, jmp 0:0
    FAULT 13, TSS, jmp TSS:0
    FAULT 13, 0x21 * 8 + 2, int 0x21
    FAULT 11, 0x22 * 8 + 2, int 0x22
    FAULT 6, 0, db 0xf0, 0x89, 0x00         ; LOCK MOV
    xor ecx, ecx
    FAULT 0, 0, div ecx
    ; the LDT: entry 0 is 16 bytes of data at SCRATCH
    mov dword [LDT_BASE], (SCRATCH << 16) | 15
    mov dword [LDT_BASE + 4], 0x00409200
    mov ax, 4
    mov fs, ax
    mov dword [SCRATCH + 12], 0x1234
    cmp dword [fs:12], 0x1234
    CHECK e
    FAULT 13, 0, mov eax, [fs:13]
    ; LAR, LSL, VERR, VERW, ARPL
    mov cx, DATA0
    lar eax, cx
    CHECK z
    and eax, 0x00f0ff00                     ; bits 16-19 are undefined
    cmp eax, 0x00c09300
    CHECK e
    lsl eax, cx
    cmp eax, -1
    CHECK e
    mov cx, TSS
    lsl eax, cx
    CHECK z
    cmp eax, 0x67
    CHECK e
    xor cx, cx
    lar eax, cx
    CHECK nz
    mov ax, READONLY
    verr ax
    CHECK z
    verw ax
    CHECK nz
    mov ax, GATE0
    lsl ecx, ax
    CHECK nz
    mov ax, 0x10
    mov bx, 3
    arpl ax, bx
    CHECK z
    cmp ax, 0x13
    CHECK e
    ; INT and INT3 come back behind themselves, with EFLAGS
    mov dword [counter], 0
    int 0x80
    int3
    cmp dword [counter], 2
    CHECK e
    ; 16-bit code and stack
    mov ax, STACK16
    mov esp, 0x00017000
    mov ss, ax
    mov esp, 0x00017000
    push eax
    cmp esp, 0x00016ffc
    CHECK e
    cmp [0x6ffc], eax
    CHECK e
    pop eax
    call dword CODE16:code16
    cmp ebx, 0x1616
    CHECK e
    mov ax, DATA0
    mov ss, ax
    mov esp, 0x7000
    push dword CODE0
    push dword .retf
    retf
.retf:
    cmp esp, 0x7000
    CHECK e

    POST 5
    ; ring 3, with what it may not do
    mov [savedEsp], esp
    push dword DATA3
    push dword 0x9000
    push dword 0x202
    push dword CODE3
    push dword ring3
    iret

    bits 16
code16:
    mov bx, 0x1616
    movzx ebx, bx
    o32 retf

    bits 32
; The end of ring 3: GATE0 with two parameters.
gate0:
    cmp dword [esp + 8], 0x2222
    CHECK e
    cmp dword [esp + 12], 0x1111
    CHECK e
    cmp dword [esp + 4], CODE3
    CHECK e
    cmp dword [esp + 20], DATA3
    CHECK e
    mov ax, cs
    test al, 3
    CHECK z
    cmp esp, 0x7000 - 24
    CHECK e
    cmp dword [counter], 5
    CHECK e
    mov ax, DATA0
    mov gs, ax
    inc dword [counter]
    retf 8

; 16-bit gate: SS SP one parameter CS IP
gate16:
    cmp esp, 0x7000 - 10
    CHECK e
    cmp word [esp + 4], 0x4321
    CHECK e
    o16 retf 2

ring3:
    mov ax, DATA3
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    mov ax, cs
    and al, 3
    cmp al, 3
    CHECK e
    FAULT 13, 0, cli
    FAULT 13, 0, hlt
    FAULT 13, 0, in al, 0x40
    FAULT 13, 0, mov eax, cr0
    FAULT 13, 0, clts
    FAULT 13, 0, lgdt [SCRATCH]
    mov ax, DATA0
    FAULT 13, DATA0, mov es, ax
    FAULT 13, 0x20 * 8 + 2, int 0x20
    FAULT 13, BADGATE, call BADGATE:0
    FAULT 13, CODE0, call CODE0:0
    FAULT 13, CODE0, jmp GATE0:0
    push dword 2
    push dword CODE0
    push dword 0
    FAULT 13, CODE0, iret
    add esp, 12
    mov ax, CONFORMING
    mov es, ax
    verr ax
    CHECK z
    mov ax, DATA0
    verr ax
    CHECK nz
    jmp CONFORMING:.conforming
.conforming:
    mov ax, cs
    cmp ax, CONFORMING | 3
    CHECK e
    jmp CODE3:.back
.back:
    ; POPF cannot change IF
    push dword 0x3002
    popf
    pushf
    pop eax
    and eax, 0x3200
    cmp eax, 0x200
    CHECK e
    mov dword [counter], 5
    push dword 0x1111
    push dword 0x2222
    call GATE0:0xdead
    cmp dword [counter], 6
    CHECK e
    cmp esp, 0x9000
    CHECK e
    mov ax, gs                              ; ring 0 data does not survive the return
    cmp ax, 0
    CHECK e
    push word 0x4321
    call GATE16:0
    cmp esp, 0x9000
    CHECK e
    mov eax, ring0again
    int 0x80                                ; EAX: where ring 0 goes on

; ------------------------------------------------------------------------------------------------ paging
ring0again:
    mov esp, 0x7000
    mov ax, DATA0
    mov ds, ax
    mov es, ax
    POST 6
    mov edi, PD
    xor eax, eax
    mov ecx, 1024
    rep stosd
    mov dword [PD], PT0 + 7
    mov dword [PD + 4], PT1 + 7
    mov edi, PT0
    mov eax, 7
    mov ecx, 1024
.map:
    stosd
    add eax, 0x1000
    loop .map
    mov dword [PT0 + 0x3ff * 4], 0x4007     ; 3ff000 -> 4000: nothing above 1 MB is needed
    mov edi, PT1
    xor eax, eax
    mov ecx, 1024
    rep stosd
    ; page table 1: 400000 absent, 401000 -> SCRATCH read-only for users, 402000 -> SCRATCH supervisor, 403000 -> SCRATCH for all
    mov dword [PT1 + 4], SCRATCH + 5
    mov dword [PT1 + 8], SCRATCH + 3
    mov dword [PT1 + 12], SCRATCH + 7
    mov eax, PD
    mov cr3, eax
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax
    jmp short .on
.on:
    test byte [PD], 0x20
    CHECK nz
    test dword [PT1 + 12], 0x60
    CHECK z
    mov dword [SCRATCH], 0xcafe
    cmp dword [0x403000], 0xcafe
    CHECK e
    mov eax, [PT1 + 12]
    and eax, 0x60
    cmp eax, 0x20
    CHECK e
    inc dword [0x403000]
    mov eax, [PT1 + 12]
    and eax, 0x60
    cmp eax, 0x60
    CHECK e
    cmp dword [SCRATCH], 0xcaff
    CHECK e
    mov dword [expError], 0
    FAULT 14, 0, mov eax, [0x400ffc]
    cmp dword [gotCr2], 0x400ffc
    CHECK e
    FAULT 14, 2, mov [0x400004], eax
    FAULT 14, 2, inc dword [0x400004]
    ; across: the first byte that is missing
    FAULT 14, 0, mov eax, [0x3ffffe]
    cmp dword [gotCr2], 0x400000
    CHECK e
    test dword [PT1], 0x60
    CHECK z
    ; supervisor writes to read-only pages unless WP (486 and later)
    mov [0x401000], eax
    mov eax, cr0
    or eax, 0x10000
    mov cr0, eax
    mov eax, cr0
    test eax, 0x10000
    jz .noWp
    FAULT 14, 3, mov [0x401000], eax
    mov eax, cr0
    and eax, ~0x10000
    mov cr0, eax
.noWp:
    ; a page that appears in the handler: the instruction is restarted
    mov dword [expVector], 14
    mov dword [expError], 2
    mov dword [expEip], .restart
    mov dword [resume], .restart
    mov dword [mapOnce], 1
    mov ecx, 3
    mov esi, SCRATCH
    mov edi, 0x3ffffc
    mov dword [SCRATCH + 4], 0x77777777
    mov dword [SCRATCH + 8], 0x88888888
.restart:
    rep movsd
    cmp ecx, 0
    CHECK e
    cmp edi, 0x400008
    CHECK e
    cmp dword [0x400000], 0x77777777
    CHECK e
    cmp dword [0x5004], 0x88888888
    CHECK e
    mov dword [PT1], 0
    mov eax, cr3
    mov cr3, eax
    ; ring 3 under paging
    push dword DATA3
    push dword 0x9000
    push dword 2
    push dword CODE3
    push dword .user
    iret
.user:
    mov ax, DATA3
    mov ds, ax
    mov es, ax
    FAULT 14, 4, mov eax, [0x400000]
    FAULT 14, 6, mov [0x400000], eax
    FAULT 14, 5, mov eax, [0x402000]
    FAULT 14, 7, mov [0x402000], eax
    mov eax, [0x401000]
    FAULT 14, 7, mov [0x401000], eax
    FAULT 14, 7, xchg [0x401000], eax
    mov [0x403000], eax
    FAULT 14, 5, push dword [0x402000]
.userEnd:
    mov eax, v86
    int 0x80

; ------------------------------------------------------------------------------------------------ virtual-8086 mode
v86:
    mov esp, 0x7000
    mov ax, DATA0
    mov ds, ax
    mov es, ax
    POST 7
    ; its code goes to 1000:0
    mov esi, v86Code
    mov edi, 0x10000
    mov ecx, v86CodeEnd - v86Code
    cs rep movsb
    mov dword [vmonCount], 0
    mov dword [IDT_BASE + 13 * 8], (CODE0 << 16) + v86Monitor
    push dword 0x4444                       ; GS FS DS ES
    push dword 0x3333
    push dword 0
    push dword 0x2222
    push dword 0x0800                       ; SS:SP
    push dword 0x0f00
    push dword 0x20002
    push dword 0x1000
    push dword 0
    iret

; #GP of the 8086 program: counts what it finds, skips it; HLT ends.
v86Monitor:
    add esp, 4                              ; error code
    test dword [esp + 8], 0x20000
    CHECK nz
    mov ax, ds
    cmp ax, 0
    CHECK e
    mov ax, DATA0
    mov ds, ax
    movzx eax, word [esp + 4]
    shl eax, 4
    add eax, [esp]
    mov al, [eax]
    inc dword [vmonCount]
    cmp al, 0xcd                            ; INT n
    je .two
    cmp al, 0xe4                            ; IN AL
    je .two
    cmp al, 0xf4
    je .end
    inc dword [esp]
    iret
.two:
    add dword [esp], 2
    iret
.end:
    cmp dword [vmonCount], 8
    CHECK e
    cmp dword [esp + 12], 0x0f00            ; SP
    CHECK e
    cmp dword [esp + 16], 0x0800
    CHECK e
    cmp dword [esp + 20], 0x2222            ; ES DS FS GS
    CHECK e
    cmp dword [esp + 28], 0x3333
    CHECK e
    cmp dword [esp + 32], 0x4444
    CHECK e
    mov ax, DATA0
    mov es, ax
    mov dword [IDT_BASE + 13 * 8], (CODE0 << 16) + (stubs + 13 * 8)
    jmp tasks

    bits 16
v86Code:
    cli
    sti
    pushf
    popf
    iret
    int 0x21
    in al, 0x40
    mov ax, cs
    cmp ax, 0x1000
    jne $
    push ds
    mov word [SCRATCH], 0x4242
    mov ax, SCRATCH >> 4
    mov ds, ax
    cmp word [0], 0x4242
    jne $
    pop ds
    call 0x1000:.far - v86Code
    jmp .on
.far:
    retf
.on:
    hlt
v86CodeEnd:
    bits 32

; ------------------------------------------------------------------------------------------------ tasks
tasks:
    mov esp, 0x7000
    mov fs, ax
    mov gs, ax
    POST 8
    mov eax, cr3
    mov [TSS_BASE + 0x1c], eax
    mov [TSS2_BASE + 0x1c], eax
    mov [TSSD_BASE + 0x1c], eax
    mov dword [TSS2_BASE + 0x20], task2
    mov dword [TSS2_BASE + 0x24], 2
    mov dword [TSS2_BASE + 0x28], 0xa2
    mov dword [TSS2_BASE + 0x38], 0x6800
    mov dword [TSS2_BASE + 0x48], DATA0
    mov dword [TSS2_BASE + 0x4c], CODE0
    mov dword [TSS2_BASE + 0x50], DATA0
    mov dword [TSS2_BASE + 0x54], DATA0
    mov dword [counter], 0
    ; CALL, then IRET; the second time the task goes on behind its IRET
    mov ebx, 0xb0b0
    call TSS2:0
    cmp dword [counter], 1
    CHECK e
    cmp ebx, 0xb0b0
    CHECK e
    call TASKGATE:0
    cmp dword [counter], 2
    CHECK e
    mov eax, cr0
    test al, 8                              ; TS
    CHECK nz
    clts
    test byte [GDT_BASE + TSS2 + 5], 2
    CHECK z
    test byte [GDT_BASE + TSS + 5], 2
    CHECK nz
    ; JMP there, which jumps back
    jmp TSS2:0
    cmp dword [counter], 3
    CHECK e
    pushf
    pop eax
    test ah, 0x40                           ; NT
    CHECK z
    ; #DF through a task gate: #GP while delivering #NP
    mov dword [TSSD_BASE + 0x20], doubleFault
    mov dword [TSSD_BASE + 0x24], 2
    mov dword [TSSD_BASE + 0x38], 0x6400
    mov dword [TSSD_BASE + 0x48], DATA0
    mov dword [TSSD_BASE + 0x4c], CODE0
    mov dword [TSSD_BASE + 0x50], DATA0
    mov dword [TSSD_BASE + 0x54], DATA0
    mov dword [IDT_BASE + 8 * 8], TSSD << 16
    mov dword [IDT_BASE + 8 * 8 + 4], 0x8500
    mov dword [IDT_BASE + 11 * 8 + 4], 0x0e00
    mov ax, ABSENT
.df:
    mov fs, ax
    mov eax, __LINE__
    int 0xfe
afterDf:
    mov dword [IDT_BASE + 11 * 8 + 4], 0x8e00
    ; a new task whose SS is bad: #TS in the new task, through a task gate
    mov dword [TSS2_BASE + 0x50], DATA3
    mov dword [TSS2_BASE + 0x20], task2
    mov dword [TSSD_BASE + 0x20], badStack
    mov dword [IDT_BASE + 10 * 8], TSSD << 16
    mov dword [IDT_BASE + 10 * 8 + 4], 0x8500
    jmp TSS2:0
afterTs:
    ; a 16-bit task, which jumps back
    mov word [TSS2_BASE + 0x0e], task16
    mov word [TSS2_BASE + 0x10], 2
    mov word [TSS2_BASE + 0x12], 0x1111
    mov word [TSS2_BASE + 0x1a], 0x6800
    mov word [TSS2_BASE + 0x22], DATA0
    mov word [TSS2_BASE + 0x24], CODE16
    mov word [TSS2_BASE + 0x26], DATA0
    mov word [TSS2_BASE + 0x28], DATA0
    mov word [TSS2_BASE + 0x2a], LDT
    mov dword [counter], 0
    jmp TSS16:0
    cmp dword [counter], 0x1111
    CHECK e
    mov ax, DATA0
    mov fs, ax
    mov gs, ax
    clts
    jmp debug

task2:
    cmp eax, 0xa2
    CHECK e
    cmp word [TSS2_BASE], TSS
    CHECK e
    pushf
    pop ecx
    test ch, 0x40
    CHECK nz
    inc dword [counter]
    iret
    cmp eax, 0xa2
    CHECK e
    inc dword [counter]
    iret
    inc dword [counter]
    jmp TSS:0

doubleFault:
    cmp dword [esp], 0                      ; error code
    CHECK e
    cmp word [TSSD_BASE], TSS
    CHECK e
    cmp dword [TSS_BASE + 0x20], tasks.df
    CHECK e
    mov dword [TSS_BASE + 0x20], afterDf
    iret
badStack:
    cmp dword [esp], DATA3 & ~3
    CHECK e
    cmp word [TSSD_BASE], TSS2
    CHECK e
    cmp dword [TSS2_BASE + 0x20], task2
    CHECK e
    mov dword [TSS_BASE + 0x20], afterTs
    and byte [GDT_BASE + TSS2 + 5], ~2
    jmp TSS:0

    bits 16
task16:
    mov [counter], ax
    jmp TSS:0

    bits 32
; ------------------------------------------------------------------------------------------------ debug
debug:
    POST 9
    mov dword [IDT_BASE + 1 * 8], (CODE0 << 16) + debugHandler
    mov dword [counter], 0
    ; single-step three instructions
    pushf
    or dword [esp], 0x100
    popf
    nop
    nop
    pushf
    and dword [esp], ~0x100
    popf
    nop
    cmp dword [counter], 5
    CHECK e
    test dword [gotCr2], 0x4000             ; DR6.BS
    CHECK nz
    ; data breakpoint
    xor eax, eax
    mov dr6, eax
    mov eax, SCRATCH
    mov dr1, eax
    mov eax, 0x00d00008                     ; G1, write, 4 bytes
    mov dr7, eax
    mov dword [counter], 0
    mov eax, [SCRATCH]
    cmp dword [counter], 0
    CHECK e
    mov [SCRATCH + 2], al
.hit:
    cmp dword [counter], 1
    CHECK e
    cmp dword [resume], .hit
    CHECK e
    mov eax, [gotCr2]
    and eax, 0xf
    cmp eax, 2
    CHECK e
    ; instruction breakpoint: a fault, passed with RF
    mov eax, .breakpoint + 0xf0000
    mov dr0, eax
    mov eax, 2
    mov dr7, eax
    mov dword [counter], 0
    mov ecx, 5
.breakpoint:
    inc ecx
    cmp ecx, 6
    CHECK e
    cmp dword [counter], 1
    CHECK e
    cmp dword [resume], .breakpoint
    CHECK e
    xor eax, eax
    mov dr7, eax
    mov dword [IDT_BASE + 1 * 8], (CODE0 << 16) + stubs + 8

    ; back to real mode
    POST 10
    mov eax, cr0
    and eax, ~0x80000000
    mov cr0, eax
    xor eax, eax
    mov cr3, eax
    mov ax, STACK16
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    mov ss, ax
    jmp CODE16:.small
    bits 16
.small:
    mov eax, cr0
    and al, 0xfe
    mov cr0, eax
    jmp 0xf000:.real
.real:
    o32 lidt [cs:ivtPointer]
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ax, 0x2000
    mov ss, ax
    mov sp, 0x1000
    stc
    sti
    int 0x60
    cli
    REALFAULT 13, mov eax, [0xffff]
    POST 0xff
    hlt
    jmp $
    bits 32

debugHandler:
    push eax
    push edx
    mov eax, dr6
    mov [gotCr2], eax
    mov eax, [esp + 8]
    mov [resume], eax
    mov edx, dr7
    test edx, 2
    jz .noRf
    or dword [esp + 16], 0x10000
.noRf:
    inc dword [counter]
    pop edx
    pop eax
    iret

; ------------------------------------------------------------------------------------------------ handlers
; Eight bytes a vector: PUSH vector (2 or 5 bytes), then a jump.
    align 8
stubs:
%assign v 0
%rep 256
    push byte ((v & 0x7f) | ((v & 0x80) ? -128 : 0))
    jmp near handler
    align 8
%assign v v + 1
%endrep

handler:
    pushad
    mov ax, DATA0
    push ds
    mov ds, ax
    mov eax, [esp + 36]
    movzx eax, al
    cmp al, 0xfe
    je failed
    cmp al, 0x80
    je software
    cmp al, 3
    je software
    cmp eax, [expVector]
    jne unexpected
    mov ebx, esp
    add ebx, 40                             ; EIP, or the error code
    mov ecx, 0x27d00                        ; 8, 10-14, 17
    bt ecx, eax
    jnc .noError
    mov edx, [ebx]
    cmp edx, [expError]
    jne unexpected
    add ebx, 4
.noError:
    mov edx, [ebx]
    cmp edx, [expEip]
    jne unexpected
    test dword [ebx + 8], 0x10000           ; RF is set in the frame of a fault
    jz unexpected
    mov edx, [resume]
    mov [ebx], edx
    mov edx, cr2
    mov [gotCr2], edx
    cmp dword [mapOnce], 1
    jne .done
    mov dword [PT1], 0x5007
    mov dword [mapOnce], 0
    mov edx, cr3
    mov cr3, edx
.done:
    mov dword [expVector], -1
    bt ecx, eax
    jc .dropError
    pop ds
    popad
    add esp, 4
    iret
.dropError:
    pop ds
    popad
    add esp, 8
    iret

software:
    inc dword [counter]
    cmp al, 0x80
    jne .back
    test byte [esp + 44], 3                 ; from ring 3: EAX says where ring 0 goes on
    jz .back
    mov eax, [esp + 32]
    jmp eax
.back:
    pop ds
    popad
    add esp, 4
    iret

unexpected:
    mov eax, 0xf000
    or al, [esp + 36]
    jmp report
failed:
    mov eax, [esp + 32]
report:
    mov dx, LINE_PORT
    out dx, ax
    POST 0xee
    cli
    hlt
    jmp $

; ------------------------------------------------------------------------------------------------ tables
%macro DESCRIPTOR 3                         ; base, limit, attributes (access byte, flags from bit 12)
    dw (%2) & 0xffff, (%1) & 0xffff
    db ((%1) >> 16) & 0xff, (%3) & 0xff, (((%2) >> 16) & 0xf) | (((%3) >> 8) & 0xf0), (%1) >> 24
%endmacro
%macro CALLGATE 4                           ; selector, offset, access byte, count
    dw %2, %1                               ; offsets here fit in 16 bits
    db %4, %3
    dw 0
%endmacro
    align 8
gdtImage:
    dq 0
    DESCRIPTOR 0xf0000, 0xffff, 0x409a
    DESCRIPTOR 0, 0xfffff, 0xc092
    DESCRIPTOR 0xf0000, 0xffff, 0x40fa
    DESCRIPTOR 0, 0xfffff, 0xc0f2
    DESCRIPTOR TSS_BASE, 0x67, 0x89
    DESCRIPTOR TSS2_BASE, 0x67, 0x89
    DESCRIPTOR TSSD_BASE, 0x67, 0x89
    DESCRIPTOR LDT_BASE, 0xf, 0x82
    DESCRIPTOR 0xf0000, 0xffff, 0x9a
    DESCRIPTOR 0, 0xffff, 0x92
    DESCRIPTOR 0xf0000, 0xffff, 0x409e
    DESCRIPTOR 0, 0xfffff, 0xc090
    DESCRIPTOR 0, 0xfff, 0x4096
    DESCRIPTOR 0, 0xfffff, 0xc012
    CALLGATE CODE0, gate0, 0xec, 2
    CALLGATE CODE0, gate16, 0xe4, 1
    CALLGATE TSS2, 0, 0x85, 0
    CALLGATE CODE0, gate0, 0x8c, 0
    DESCRIPTOR 0, 0xfffff, 0xc09a
    DESCRIPTOR TSS2_BASE, 0x2b, 0x81
gdtImageEnd:
gdtPointer:
    dw GDT_LAST
    dd GDT_BASE
idtPointer:
    dw 0x7ff
    dd IDT_BASE
ivtPointer:
    dw 0x3ff
    dd 0

    times 0xfff0 - ($ - $$) db 0xf4
    bits 16
reset:
    jmp 0xf000:start
    times 0x10000 - ($ - $$) db 0
