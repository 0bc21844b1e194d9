-- In memory: rows, indices, joins, groups, windows, an update and a delete; prints sums.
PRAGMA temp_store = MEMORY;
CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE sale(id INTEGER PRIMARY KEY, customer INTEGER, amount INTEGER, note TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
INSERT INTO customer SELECT i, 'customer ' || i, 'city ' || (i * 7919 % 97) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 80000)
INSERT INTO sale SELECT i, 1 + i * 31 % 5000, i * 7919 % 10007, substr(hex(i * 2654435761), 1, 4 + i % 12)
FROM n;
CREATE INDEX sale_customer ON sale(customer, amount);
CREATE INDEX sale_note ON sale(note);
CREATE INDEX customer_city ON customer(city);
SELECT 'rows', count(*), sum(amount), sum(length(note)) FROM sale;
SELECT 'city', city, count(*), sum(amount) FROM sale JOIN customer ON customer.id = sale.customer
GROUP BY city ORDER BY 4 DESC, city LIMIT 10;
SELECT 'notes', count(*), max(many) FROM (SELECT note, count(*) AS many FROM sale GROUP BY note);
SELECT 'pairs', count(*), min(a.note || b.note) FROM sale a JOIN sale b ON a.note = b.note AND a.id < b.id
WHERE a.id < 20000;
SELECT 'window', sum(place), max(total) FROM (
SELECT rank() OVER (PARTITION BY customer % 50 ORDER BY amount, id) AS place,
sum(amount) OVER (PARTITION BY customer ORDER BY id) AS total FROM sale);
SELECT 'text', length(group_concat(upper(note) || '/' || replace(note, '3', '#'), ',')) FROM sale;
UPDATE sale SET note = note || note WHERE amount < 3000;
DELETE FROM sale WHERE id % 3 = 0;
SELECT 'after', count(*), sum(amount), sum(length(note)), count(DISTINCT note) FROM sale;
SELECT 'check', integrity_check FROM pragma_integrity_check;
