/*
 * Compiles and runs samples in Java, one after the other, in one process: a Java machine and its compiler take more than
 * a second to begin. java.py starts it, with what samples need as class path.
 *
 * Each line of input is the path of a source; what is answered is a line with a status (0: it was compiled and ran to
 * its end) and a number of bytes, then so many bytes: what it printed.
 */

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import javax.tools.ToolProvider;

public class RunsSamples {
    public static void main(String[] args) throws Exception {
        var asked = new BufferedReader(new InputStreamReader(System.in));
        var told = System.out;
        for (String line = asked.readLine(); line != null; line = asked.readLine()) {
            var printed = new ByteArrayOutputStream();
            var output = new PrintStream(printed, true, "UTF-8");
            System.setOut(output);
            System.setErr(output);
            int status = run(Path.of(line), output) ? 0 : 1;
            output.flush();
            told.println(status + " " + printed.size());
            printed.writeTo(told);
            told.flush();
        }
    }

    private static boolean run(Path source, PrintStream output) throws Exception {
        var folder = source.getParent();
        var compiler = ToolProvider.getSystemJavaCompiler();
        // As the source stands: one that javac has to be told more of would not be the page's.
        String[] options = {"-cp", System.getProperty("java.class.path"), "-d", folder.toString(), source.toString()};
        if (compiler.run(null, output, output, options) != 0) {
            return false;
        }
        var name = source.getFileName().toString().replace(".java", "");
        try (var compiled = new URLClassLoader(new URL[] {folder.toUri().toURL()})) {
            compiled.loadClass(name).getMethod("main", String[].class).invoke(null, (Object) new String[0]);
            return true;
        } catch (InvocationTargetException failed) {
            failed.getCause().printStackTrace(output);
            return false;
        }
    }
}
