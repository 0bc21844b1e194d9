// What a JVM asks of malloc: threads that come and go, the just-in-time compilers, direct buffers, zlib, sockets,
// class loaders, parallel streams. Prints sums that depend on the contents only, and "finished".
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

public class Threads {
    static byte[] bytes(int seed, int size) {
        byte[] all = new byte[size];
        for (int i = 0; i < size; i++)
            all[i] = (byte) (i * seed + (i >> 3));
        return all;
    }

    static String hash(byte[] data) throws Exception {
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(data);
        return String.format("%02x%02x%02x%02x", digest[0], digest[1], digest[2], digest[3]);
    }

    // Native zlib states, ended by hand.
    static byte[] throughZlib(byte[] data, int level) throws Exception {
        Deflater deflater = new Deflater(level);
        deflater.setInput(data);
        deflater.finish();
        ByteArrayOutputStream packed = new ByteArrayOutputStream();
        byte[] part = new byte[4096];
        while (!deflater.finished())
            packed.write(part, 0, deflater.deflate(part));
        deflater.end();
        Inflater inflater = new Inflater();
        inflater.setInput(packed.toByteArray());
        ByteArrayOutputStream unpacked = new ByteArrayOutputStream();
        while (!inflater.finished())
            unpacked.write(part, 0, inflater.inflate(part));
        inflater.end();
        return unpacked.toByteArray();
    }

    // Direct buffers: malloc by the JVM, freed by the cleaner's thread when the collector finds them dead.
    static String worker(int seed) throws Exception {
        StringBuilder hashes = new StringBuilder();
        for (int round = 0; round < 60; round++) {
            int size = 100 + (seed * 7919 + round * 104729) % 200000;
            ByteBuffer direct = ByteBuffer.allocateDirect(size);
            direct.put(bytes(seed + round, size)).flip();
            byte[] copy = new byte[size];
            direct.get(copy);
            hashes.append(hash(throughZlib(copy, 1 + round % 9)));
        }
        return hash(hashes.toString().getBytes());
    }

    static void shortThreads() throws Exception {
        ConcurrentHashMap<Integer, String> seen = new ConcurrentHashMap<>();
        for (int wave = 0; wave < 40; wave++) {
            List<Thread> threads = new ArrayList<>();
            for (int n = 0; n < 32; n++) {
                int number = wave * 32 + n;
                threads.add(new Thread(() -> seen.put(number, "thread " + number)));
            }
            threads.forEach(Thread::start);
            for (Thread thread : threads)
                thread.join();
        }
        System.out.println("threads " + seen.size());
    }

    static void echo() throws Exception {
        ExecutorService pool = Executors.newCachedThreadPool();
        try (ServerSocket server = new ServerSocket(0, 64, InetAddress.getLoopbackAddress())) {
            pool.submit(() -> {
                while (true) {
                    Socket socket = server.accept();
                    pool.submit(() -> {
                        try (socket) {
                            return socket.getInputStream().transferTo(socket.getOutputStream());
                        }
                    });
                }
            });
            List<Callable<Integer>> clients = new ArrayList<>();
            for (int n = 1; n <= 60; n++) {
                byte[] sent = bytes(n, n * 911);
                clients.add(() -> {
                    try (Socket socket = new Socket(server.getInetAddress(), server.getLocalPort())) {
                        Future<?> writer = pool.submit(() -> {
                            socket.getOutputStream().write(sent);
                            socket.shutdownOutput();
                            return null;
                        });
                        InputStream in = socket.getInputStream();
                        byte[] back = in.readAllBytes();
                        writer.get();
                        return java.util.Arrays.equals(sent, back) ? 1 : 0;
                    }
                });
            }
            int good = 0;
            for (Future<Integer> future : pool.invokeAll(clients))
                good += future.get();
            System.out.println("echoes " + good);
        }
        pool.shutdownNow();
    }

    // Each proxy is a class of its own, in a loader of its own that dies with it.
    static void classes() throws Exception {
        int sum = 0;
        for (int n = 0; n < 150; n++) {
            int number = n;
            ClassLoader loader = new ClassLoader(Threads.class.getClassLoader()) {
            };
            Object proxy = Proxy.newProxyInstance(loader, new Class<?>[] {Runnable.class, Comparable.class},
                    (Object self, Method method, Object[] arguments) -> method.getName().equals("compareTo") ? number : null);
            @SuppressWarnings("unchecked")
            Comparable<Object> comparable = (Comparable<Object>) proxy;
            sum += comparable.compareTo("");
            if (n % 50 == 0)
                System.gc();
        }
        System.out.println("classes " + sum);
    }

    public static void main(String[] arguments) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(8);
        List<Future<String>> results = new ArrayList<>();
        for (int seed = 1; seed <= 12; seed++) {
            int number = seed;
            results.add(pool.submit(() -> worker(number)));
        }
        for (Future<String> result : results)
            System.out.println(result.get());
        pool.shutdown();
        shortThreads();
        echo();
        classes();
        System.out.println("primes " + IntStream.range(2, 60000).parallel()
                .filter(n -> IntStream.rangeClosed(2, (int) Math.sqrt(n)).noneMatch(d -> n % d == 0)).count());
        System.out.println("sum " + LongStream.range(0, 3_000_000).parallel().mapToObj(Long::toString).mapToLong(String::length).sum());
        System.out.println("finished");
    }
}
