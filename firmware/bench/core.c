/*
 * A workload for measuring the cores: sorting a linked list, multiplying matrices, scanning text with a state
 * machine, and a CRC over the results. It never ends; word `turns` at the start of RAM counts.
 *
 * With MMIO defined, the program instead drives one bit of a port, with a few instructions in between, as
 * firmware that bangs pins does.
 */
#include <stdint.h>

extern uint32_t _stack;
void reset(void);

__attribute__((section(".vectors"), used)) static const void *const vectors[] = { &_stack, reset };

volatile uint32_t turns __attribute__((section(".turns")));

#ifdef MMIO

#define SET (*(volatile uint32_t *)0x50000508)
#define CLEAR (*(volatile uint32_t *)0x5000050C)
#define IN (*(volatile uint32_t *)0x50000510)

void reset(void)
{
    uint32_t word = 0x12345678;
    for (;;) {
        uint32_t in = 0;
        for (int bit = 0; bit < 32; bit++) {
            if (word >> bit & 1)
                SET = 1;
            else
                CLEAR = 1;
            SET = 2;
            in = in << 1 | (IN & 1);
            CLEAR = 2;
        }
        word = word * 1664525 + 1013904223 + in;
        turns++;
    }
}

#else

#define NODES 64
#define SIZE 12

struct node {
    struct node *next;
    int16_t key;
    uint16_t value;
};

static struct node nodes[NODES];
static int16_t a[SIZE][SIZE], b[SIZE][SIZE];
static int32_t c[SIZE][SIZE];
static const char text[] = "12,0x1f,-7,+3.25e4,abc,9.,.5,1e-3,99999,x12,-0,3e,7.5E+2,,42";

static uint16_t crc16(uint16_t crc, uint32_t data)
{
    for (int i = 0; i < 32; i++) {
        uint16_t carry = (crc ^ data) & 1;
        crc >>= 1;
        data >>= 1;
        if (carry)
            crc ^= 0xA001;
    }
    return crc;
}

static struct node *merge_sort(struct node *list, int length)
{
    if (length < 2) {
        if (list)
            list->next = 0;
        return list;
    }
    int half = length / 2;
    struct node *right = list;
    for (int i = 0; i < half; i++)
        right = right->next;
    struct node *x = merge_sort(list, half), *y = merge_sort(right, length - half);
    struct node head, *tail = &head;
    while (x && y) {
        struct node **smaller = x->key <= y->key ? &x : &y;
        tail = tail->next = *smaller;
        *smaller = (*smaller)->next;
    }
    tail->next = x ? x : y;
    return head.next;
}

static uint16_t lists(uint32_t seed)
{
    for (int i = 0; i < NODES; i++) {
        seed = seed * 1664525 + 1013904223;
        nodes[i].next = i + 1 < NODES ? &nodes[i + 1] : 0;
        nodes[i].key = seed >> 16;
        nodes[i].value = i;
    }
    uint16_t crc = 0;
    for (struct node *n = merge_sort(nodes, NODES); n; n = n->next)
        crc = crc16(crc, n->value);
    return crc;
}

static int32_t matrices(uint32_t seed)
{
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            a[i][j] = seed + i * j;
            b[i][j] = seed ^ (i - j);
        }
    int32_t sum = 0;
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            int32_t total = 0;
            for (int k = 0; k < SIZE; k++)
                total += a[i][k] * b[k][j];
            c[i][j] = total;
            sum += total >> 3 & 0xFF;
        }
    return sum;
}

enum state { START, SIGN, INTEGER, FRACTION, EXPONENT, WRONG, STATES };

static uint32_t scan(void)
{
    uint32_t counts[STATES];
    for (int i = 0; i < STATES; i++)
        counts[i] = 0;
    enum state state = START;
    for (const char *p = text; *p; p++) {
        char ch = *p;
        if (ch == ',') {
            counts[state]++;
            state = START;
            continue;
        }
        int digit = ch >= '0' && ch <= '9';
        switch (state) {
        case START:
            state = digit ? INTEGER : ch == '+' || ch == '-' ? SIGN : ch == '.' ? FRACTION : WRONG;
            break;
        case SIGN:
            state = digit ? INTEGER : ch == '.' ? FRACTION : WRONG;
            break;
        case INTEGER:
            if (!digit)
                state = ch == '.' ? FRACTION : ch == 'e' || ch == 'E' ? EXPONENT : WRONG;
            break;
        case FRACTION:
            if (!digit)
                state = ch == 'e' || ch == 'E' ? EXPONENT : WRONG;
            break;
        default:
            break;
        }
    }
    uint32_t result = 0;
    for (int i = 0; i < STATES; i++)
        result = result * 7 + counts[i];
    return result;
}

void reset(void)
{
    uint16_t crc = 0;
    for (;;) {
        uint32_t seed = turns + crc;
        crc = crc16(crc, lists(seed));
        crc = crc16(crc, matrices(seed));
        crc = crc16(crc, scan());
        turns++;
    }
}

#endif
